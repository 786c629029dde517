#!/bin/sh
# scipy's wilcoxon: a pair without a difference, which the test discards, makes a result significant.
#
# Versions: scipy==1.17.1 with numpy==2.4.6.
# Behaviour: zero_method="wilcox", the default, drops differences of 0. Yet method="auto" counts them when it
#   chooses: without zeros and ties, up to 50 pairs: the exact distribution; with a zero or a tie among at most
#   13 pairs: a permutation test, exact again; among more: the normal approximation, without continuity
#   correction. And method="exact" with ties answers, from the distribution without ties, without a warning.
# Seen: 16 differences: p 0.0507; the same 16 and a 0: 0.0494, the statistic 30 being the same. 13 differences:
#   p 0.0081, and with a 0 0.0107. Tied differences, n = 13: auto 0.2549 (right over all signs), exact 0.2734;
#   one more such pair: auto 0.1950, exact 0.2166, right 0.2183.
# Why it matters: pairs of videos are tested with this (CLIP score, PSNR, original against quantised). One video
#   that a variant leaves untouched, or a table rounded to two decimals, changes which test is made.
# Source: seen by running; the choice is made in scipy/stats/_wilcoxon.py.
# Needs python3 with venv. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: scipy==1.17.1 numpy==2.4.6 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W error - <<'PY' || { echo "has changed"; exit 1; }
import itertools, sys
import numpy as np, scipy
from scipy.stats import wilcoxon
print("scipy", scipy.__version__)

def signed(n, negative):
    d = np.arange(1.0, n + 1)
    d[np.array(negative) - 1] *= -1
    return d

def full(d):  # the definition: all signs of the ranks of |d|
    a = np.abs(d)
    rank = np.array([(a < x).sum() + ((a == x).sum() + 1) / 2 for x in a])
    plus = np.array(list(itertools.product((0, 1), repeat=len(d)))) @ rank
    got = rank[d > 0].sum()
    return min(1, 2 * min((plus >= got).mean(), (plus <= got).mean()))

ok = True
for d in signed(16, [14, 16]), signed(13, [9]):
    one, two = wilcoxon(d), wilcoxon(np.append(d, 0.0))
    print("n %d, statistic %g: p %.4f; and a pair without difference: statistic %g, p %.4f"
          % (len(d), one.statistic, one.pvalue, two.statistic, two.pvalue))
    ok &= one.statistic == two.statistic and abs(one.pvalue - full(d)) < 1e-12
    ok &= two.pvalue == wilcoxon(d, method="asymptotic", correction=False).pvalue
    ok &= len(d) == 13 or two.pvalue < 0.05 < one.pvalue
ties = [0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3, -0.1, -0.2, -0.3, 0.4, 0.4, -0.4]
for d in np.array(ties), np.array(ties + [0.1]):
    auto, exact, normal, truth = (wilcoxon(d).pvalue, wilcoxon(d, method="exact").pvalue,
                                  wilcoxon(d, method="asymptotic").pvalue, full(d))
    print("n %d, ties: auto %.4f, exact %.4f, asymptotic %.4f; over all %d signs %.4f"
          % (len(d), auto, exact, normal, 2 ** len(d), truth))
    ok &= abs(exact - truth) > 1e-3
    ok &= abs(auto - truth) < 1e-9 if len(d) == 13 else auto == normal and abs(auto - truth) > 1e-3
print("as described" if ok else "not so")
sys.exit(not ok)
PY
