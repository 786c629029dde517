#!/bin/sh
# lpips: distances against the authors' package, on random weights (fixtures/nets); layouts; bad input.
. "$(dirname "$0")/tap.sh"
F=$ROOT/fixtures/nets
cd "$TMP" || exit 1
formula=$BUILD/t/tools/formula
# golden NAME: its numbers, one a line
golden() { tensor-pick "$F/golden.safetensors:$1" | tail -c $((8 * $2)) | od -An -v -tf8 | tr -s ' ' '\n' | grep .; }
# near NAME GOT WANTED BOUND: numbers, one a line, relative
near() {
    most=$(printf '%s\n%s\n' "$2" "$3" | awk '{ v[NR] = $1 } END { if (NR % 2) exit; for (i = 1; i <= NR / 2; i++) {
        e = v[i] / v[NR / 2 + i] - 1; e = e < 0 ? -e : e; if (e > most) most = e }; print most + 0 }')
    awk "BEGIN { exit !(\"$most\" != \"\" && $most <= $4) }" </dev/null
    ok $? "$1"
    comment "greatest relative difference $most of $4"
}
for s in odd least large; do
    for side in a b; do "$formula" <"$F/frames-$s-$side.txt" >$s.$side; done
done
mkdir both
"$formula" <"$F/alex.txt" >both/alexnet-owt.safetensors
"$formula" <"$F/alex-heads.txt" >both/alex.safetensors
"$formula" <"$F/vgg.txt" >both/vgg16-397923af.safetensors
"$formula" <"$F/vgg-heads.txt" >both/vgg.safetensors

# ---- as the package's ----

for net in alex vgg; do
    for s in odd least large; do
        lpips -m both --net $net --per-frame $s.a $s.b >table 2>err
        is "$? $(cat err)" "0 " "$net, $s frames"
        near "$net, $s: as the package's" "$(sed 1d table | cut -f 7)" \
            "$(golden $net.$s $(($(wc -l <table) - 1)))" 1e-5
    done
done
for type in fp16 bf16; do
    [ $type = fp16 ] && most=2e-3 || most=2e-2
    [ "$DEVICE" = cpu ] || near "alex, $type" "$(lpips -m both --dtype $type least.a least.b | sed 1d | cut -f 7)" \
        "$(golden alex.least 1)" $most
done

# ---- the table ----

tensor-pick -k seed=7 -k 'prompt=a fox' -k variant=fp16 odd.a >a
tensor-pick -k variant=w8a16 odd.b >b
cat a a >two.a
cat b odd.a >two.b
lpips -m both two.a two.b >table
is "$(cut -f 1-6 table)" "document	seed	variant_a	variant_b	prompt	frames
1	7	fp16	w8a16	a fox	2
2	7	fp16		a fox	2" "a line a document"
is "$(sed -n 1p table | cut -f 7)" lpips "whose last column is the distance"
is "$(sed -n 3p table | cut -f 7)" 0 "equal videos have none"
near "a video's is the mean over its frames" "$(sed -n 2p table | cut -f 7)" \
    "$(lpips -m both --per-frame a b | awk 'NR > 1 { s += $NF } END { printf "%.15g\n", s / 2 }')" 1e-14
is "$(lpips -m both - b <a)" "$(lpips -m both a b)" "standard input is -"
is "$(OMP_NUM_THREADS=3 lpips -m both a b)" "$(OMP_NUM_THREADS=1 lpips -m both a b)" \
    "the same for any number of threads"
near "nor does it matter which is first" "$(lpips -m both b a | sed 1d | cut -f 7)" \
    "$(lpips -m both a b | sed 1d | cut -f 7)" 1e-14

# ---- weights as others lay them out ----

wanted=$(lpips -m both a b)
as_well() { # NAME COMMAND...
    name=$1
    shift
    "$@" a b >got 2>err
    is "$(cat got err)" "$wanted" "$name"
}
as_well "a file, and heads beside it" lpips -m both/alexnet-owt.safetensors
mkdir apart
mv both/alex.safetensors apart/heads.safetensors
as_well "heads elsewhere" lpips -m both --heads apart/heads.safetensors
fails 1 "lpips: cannot find alex.safetensors or another file of LPIPS's heads in both/" "no heads" \
    lpips -m both a b
cp apart/heads.safetensors both/alex.safetensors
names() { tensor-info --names both/alexnet-owt.safetensors; }
level() { case $1 in features.0.*) echo 1 ;; features.3.*) echo 2 ;; features.6.*) echo 3 ;; features.8.*) echo 4 ;; *) echo 5 ;; esac; }
tensor-pick $(for n in $(names); do echo "both/alexnet-owt.safetensors:$n=net.slice$(level $n).${n#features.}"; done) \
    $(for i in 0 1 2 3 4; do for to in lin$i lins.$i; do echo "apart/heads.safetensors:lin$i.model.1.weight=$to.model.1.weight"; done; done) \
    >apart/lpips_alex.safetensors
as_well "the package's own state, in one file" lpips -m apart/lpips_alex.safetensors
as_well "found in a directory" lpips -m apart
is "$(lpips -m both --recipe | tr ',' '\n' | grep -c '"heads"\|"weights"\|"net"')" 3 \
    "the recipe has the network, the heads and --net"
is "$(lpips -m both --recipe)" "$(lpips -m both/alexnet-owt.safetensors --recipe)" "and no path"

# ---- what is refused ----

fails 2 "*-m DIR or -m FILE is needed*" "no -m" lpips a b
fails 2 "*--net is alex or vgg, not 'squeeze'*" "another network" lpips -m both --net squeeze a b
fails 2 "*two operands are needed, not 1*" "one operand" lpips -m both a
fails 2 "*standard input can be only one of the two*" "twice standard input" lpips -m both - -
fails 1 "lpips: both/vgg16-397923af.safetensors is not AlexNet: its first kernels are 3 x 3" \
    "VGG for AlexNet" lpips -m both/vgg16-397923af.safetensors a b
fails 1 "lpips: lin1.model.1.weight is F32 *1, 128, 1, 1* in vgg.safetensors, but *1, 192, 1, 1* is needed" "heads of VGG" \
    env -C both lpips -m alexnet-owt.safetensors --heads vgg.safetensors ../a ../b
fails 1 "*cannot find lpips_vgg*.safetensors or another file of VGG16 in apart" "a directory without VGG" \
    lpips -m apart --net vgg a b
fails 1 "*none.pth*" "no such file" lpips -m none.pth a b
echo 'dino k F32 1 0 8,8' | sed 's/ k / blocks.0.attn.qkv.weight /' | "$formula" >other.safetensors
fails 1 "*other.safetensors is DINO with its authors' names, not LPIPS's network" "another model" \
    lpips -m other.safetensors a b
sed '/^features.3.weight /s/192,64,5,5/192,64,2,5,5/' "$F/alex.txt" | "$formula" >deep.safetensors
fails 1 "lpips: features.3.weight in deep.safetensors is not of AlexNet: its kernels are not 5 x 5" "a kernel in time" \
    lpips -m deep.safetensors --heads both/alex.safetensors a b
tensor-pick both/alexnet-owt.safetensors:features.[0-7]* >some.safetensors
fails 1 "*has no tensor features.8.weight" "a network that ends early" \
    lpips -m some.safetensors --heads both/alex.safetensors a b
echo 'a frames U8 100 128 2,30,33,3' | "$formula" >small
fails 1 "lpips: document 1 of small is 33x30: --net alex needs 31 pixels a side" "frames too small" \
    lpips -m both small small
fails 1 "*document 1 is 45x37 in a and 33x31 in least.a" "frames of another size" lpips -m both a least.a
fails 1 "*document 2 of two.a has no partner: b has 1" "a document without a partner" lpips -m both two.a b
full() { lpips -m both a b >/dev/full; }
fails 1 "*No space left on device" "a full disk" full
done_testing
