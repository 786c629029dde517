#!/bin/bash
# Many machines, by a real Slurm of two nodes that this starts, loses one of, and ends: make behind srun,
# make sweep, a task that fails, a node that is lost.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
slurm=$TMP/slurm
trap '"$ROOT/t/slurm/stop" "$slurm"; rm -rf "$TMP"' EXIT
why=$(t/slurm/start "$slurm" 2 2) || skip_all "$why"
export SLURM_CONF=$slurm/slurm.conf PATH=$PATH:/usr/sbin
unset CUDA_VISIBLE_DEVICES SLURMD_NODENAME
lines() { paste -s -d ' '; }
wait_for() { # SECONDS CONDITION
    local end=$((SECONDS + $1))
    until eval "$2"; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done
}
column() {
    tr -d '\r' <"$1" | awk -F , -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'
}

# A sampler that says that it began and ended, and takes a while; once, it fails if $TMP/fail is there.
cat >"$TMP/sampler" <<END
#!/bin/bash
echo "\$SLURMD_NODENAME" >>"$TMP/begun"
sleep 4
mv "$TMP/fail" "$TMP/failed" 2>/dev/null && exit 9
"$BUILD/wan-denoise" "\$@" && echo "\$SLURMD_NODENAME" >>"$TMP/ended"
END
chmod +x "$TMP/sampler"
printf 'a ring\na square\na star\na line\n' >"$TMP/prompts.txt"
run() { # OUT MAKE-ARGUMENTS...
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/random PROMPTS="$TMP/prompts.txt" SIZE=64x48 \
        FRAMES=5 STEPS=2 SEEDS='1 2' CHUNK=2 DENOISE="$TMP/sampler" SBATCH=-c1 "$@" >"$TMP/out" 2>"$TMP/err"
}
settled() { wait_for 400 '[ -z "$(squeue -h)" ]'; }
revive() { slurmd -N "$1"; wait_for 60 '[ "$(sinfo -h -N -o %t | grep -c idle)" = 2 ]'; }
# latents and their ages, but for those in the file named
ages() { (cd "$1" && stat -c '%n %Y %i' */*.latents.safetensors); }

# ---- srun ----

out=$TMP/srun
run "$out" -j8 RUN='srun -Q -n1 -c1' experiment
ok $? "make -j8 RUN=srun experiment"
comment "$(grep -v step "$TMP/err" | tail -3)"
is "$(wc -l <"$TMP/begun"),$(wc -l <"$TMP/ended")" 8,8 "eight processes sampled sixteen videos"
is "$(column "$out/paper_table.csv" node | tr ' ' '\n' | sort -u | lines)" "node1 node2" "both nodes were used, and paper_table.csv names them"
is "$(column "$out/paper_table.csv" videos | lines)" "8 8" "all videos"
touch "$TMP/now"
run "$out" -j8 RUN='srun -Q -n1 -c1' experiment
is "$(find "$out" -newer "$TMP/now" -type f):$(wc -l <"$TMP/begun")" :8 "a second make makes nothing"

rm -rf "$out" "$TMP/begun" "$TMP/ended"
touch "$TMP/fail"
run "$out" -j8 RUN='srun -Q -n1 -c1' videos
is "$?:$(wc -l <"$TMP/begun"),$(wc -l <"$TMP/ended")" 0:9,8 "a task that fails is made once more, nothing else is"

rm -rf "$out" "$TMP/begun" "$TMP/ended"
run "$out" -j8 RUN='srun -Q -n1 -c1' videos &
wait_for 60 'grep -qs node2 "$TMP/begun"' && t/slurm/lose "$slurm" node2
cp "$TMP/begun" "$TMP/then"
wait $!
is "$?:$(ls "$out"/*/*.mp4 | wc -l)" 0:16 "a node is lost: all videos are made"
comment "$(grep -v step "$TMP/err" | tail -3)"
is "$(wc -l <"$TMP/ended")" 8 "each process of eight ended once"
comment "begun: $(sort "$TMP/begun" | uniq -c | lines)"
revive node2
ok $? "the node is back"

# ---- make sweep ----

out=$TMP/sweep
rm -f "$TMP/begun" "$TMP/ended"
run "$out" sweep
ok $? "make sweep"
comment "$(cat "$TMP/out" "$TMP/err")"
run "$out" sweep
like "$?:$(cat "$TMP/err")" "2:sweep: jobs * are not done*" "another while it runs is refused"
wait_for 60 'grep -qs node1 "$TMP/ended" && grep -qs node2 "$TMP/begun"'
wait_for 60 '[ "$(grep -c node1 "$TMP/begun")" -gt "$(grep -c node1 "$TMP/ended")" ]'
t/slurm/lose "$slurm" node1
ages "$out" | grep -v part >"$TMP/ages"
settled
ok $? "a node is lost: the sweep ends"
is "$(ls "$out"/*/*.mp4 | wc -l),$(cd "$out" && ls report.html)" 16,report.html "all videos and the report are there"
is "$(ages "$out" | grep -cxFf "$TMP/ages"),$([ -s "$TMP/ages" ] && echo some)" "$(wc -l <"$TMP/ages"),some" "what was there is not made again"
is "$(wc -l <"$TMP/ended")" 8 "each process of eight ended once"
comment "begun: $(sort "$TMP/begun" | uniq -c | lines); $(wc -l <"$TMP/ages") latents were there"
is "$(column "$out/paper_table.csv" return_code | lines)" "0 0" "return_code is 0"
for r in "$out"/*/runs/*; do grep -q return_code "$r/run" || comment "interrupted: ${r#"$out"/}: $(sed -n 's/part.//p' "$r/run")"; done
is "$(column "$out/paper_table.csv" node | tr ' ' '\n' | sort -u | lines)" "node1 node2" "paper_table.csv names the nodes"
run "$out" sweep
is "$?:$(cat "$TMP/out")" "0:sweep: all is made" "a second make sweep submits nothing"
touch "$TMP/now"
run "$out" videos
is "$(find "$out" -newer "$TMP/now" -type f)" "" "nor does make find anything to make"

revive node1
rm -rf "$out" "$TMP/begun" "$TMP/ended"
touch "$TMP/fail"
run "$out" sweep VARIANTS=fp16
settled
is "$(ls "$out"/*/*.mp4 | wc -l):$(wc -l <"$TMP/begun"),$(wc -l <"$TMP/ended")" 8:5,4 "a task of four fails: it is made once more, nothing else is"
is "$(cat "$out"/sweep/*.log | grep -c 'once more')" 1 "and its log says so"

# The floor is made by the last job, and is beside the effects.
rm -rf "$out"
run "$out" sweep floor TWINS='dither reencode' DENOISE="$BUILD/wan-denoise"
is "$?:$(grep -c floor "$TMP/out")" 0:0 "make sweep floor makes none itself"
settled
is "$(column "$out/floor.csv" variant_b | sort -u | lines):$(grep -h 'floor of fp16' "$out"/sweep/eval.*.log | grep -c 'mp4 measured')" "dither reencode:1" \
    "the last job makes the floor, of what the tables measure"
is "$(column "$out/pairs_summary.csv" within | tr -d '01\n')$(column "$out/pairs_summary.csv" p_holm | grep -c .)" 3 "it stands beside the effects"
grep -q 'than its twins' "$out/report.md"
ok $? "and in the report's words"
comment "$(grep -h 'twins' "$out/report.md" | head -n 1)"
run "$out" sweep floor TWINS='dither reencode' DENOISE="$BUILD/wan-denoise"
is "$?:$(cat "$TMP/out")" "0:sweep: all is made" "a second one submits nothing"

rm -rf "$out"
printf '#!/bin/sh\nexit 7\n' >"$TMP/breaks"
chmod +x "$TMP/breaks"
run "$out" sweep DENOISE="$TMP/breaks" VARIANTS=fp16
settled
is "$(ls -d "$out"/fp16/runs/latents.* | wc -l)" 8 "a sampler that always fails: each of four tasks is tried twice"
is "$(cat "$out"/sweep/eval.*.log | grep -c 'there are no videos in')" 2 "and the last job says that there are no videos"

done_testing
