# shellcheck shell=sh
# What tests of layouts share: the fixture's tensors under the names that other libraries give them,
# made by tensor-pick. For sh, after tap.sh.

# Official names on standard input as diffusers' WanTransformer3DModel has them.
diffusers_names() {
    sed -e 's/^time_embedding\.0/condition_embedder.time_embedder.linear_1/' \
        -e 's/^time_embedding\.2/condition_embedder.time_embedder.linear_2/' \
        -e 's/^text_embedding\.0/condition_embedder.text_embedder.linear_1/' \
        -e 's/^text_embedding\.2/condition_embedder.text_embedder.linear_2/' \
        -e 's/^time_projection\.1/condition_embedder.time_proj/' \
        -e 's/^head\.head/proj_out/; s/^head\.modulation/scale_shift_table/' \
        -e 's/\.modulation$/.scale_shift_table/' \
        -e 's/self_attn/attn1/; s/cross_attn/attn2/' \
        -e 's/\(attn[12]\)\.\([qkv]\)\./\1.to_\2./; s/\(attn[12]\)\.o\./\1.to_out.0./' \
        -e 's/ffn\.0\./ffn.net.0.proj./; s/ffn\.2\./ffn.net.2./; s/norm3/norm2/'
}

# Wan's names for umT5 as Hugging Face's UMT5EncoderModel has them.
hf_names() {
    sed -e 's/^token_embedding\.weight/shared.weight/; s/^norm\.weight/encoder.final_layer_norm.weight/' \
        -e 's/^blocks\.\([0-9]*\)\./encoder.block.\1.layer./' \
        -e 's/layer\.norm1/layer.0.layer_norm/; s/layer\.norm2/layer.1.layer_norm/' \
        -e 's/layer\.attn/layer.0.SelfAttention/' \
        -e 's/layer\.pos_embedding\.embedding/layer.0.SelfAttention.relative_attention_bias/' \
        -e 's/layer\.ffn\.gate\.0/layer.1.DenseReluDense.wi_0/' \
        -e 's/layer\.ffn\.fc1/layer.1.DenseReluDense.wi_1/; s/layer\.ffn\.fc2/layer.1.DenseReluDense.wo/'
}

# Wan's names for its VAE as diffusers' AutoencoderKLWan has them: $1 residual blocks a stage.
vae_names() {
    awk -v stage="${1:-3}" '
    function residual(rest) {
        sub(/^residual\.0\.gamma/, "norm1.gamma", rest); sub(/^residual\.2\./, "conv1.", rest)
        sub(/^residual\.3\.gamma/, "norm2.gamma", rest); sub(/^residual\.6\./, "conv2.", rest)
        sub(/^shortcut\./, "conv_shortcut.", rest)
        return rest
    }
    {
        n = $0
        sub(/^conv1\./, "quant_conv.", n); sub(/^conv2\./, "post_quant_conv.", n)
        sub(/coder\.conv1\./, "coder.conv_in.", n); sub(/coder\.head\.0\./, "coder.norm_out.", n)
        sub(/coder\.head\.2\./, "coder.conv_out.", n)
        if (match(n, /coder\.middle\.[0-2]\./)) {
            at = RSTART + RLENGTH; which = substr(n, at - 2, 1)
            part = which == 1 ? "attentions.0." : "resnets." which / 2 "."
            n = substr(n, 1, 2 + index(substr(n, 3), "coder.") + 5) "mid_block." part residual(substr(n, at))
        } else if (match(n, /^encoder\.downsamples\.[0-9]+\./)) {
            split(n, p, ".")
            n = "encoder.down_blocks." p[3] "." residual(substr(n, RLENGTH + 1))
        } else if (match(n, /^decoder\.upsamples\.[0-9]+\./)) {
            split(n, p, "."); i = int(p[3] / (stage + 1)); j = p[3] % (stage + 1)
            n = "decoder.up_blocks." i (j == stage ? ".upsamplers.0." : ".resnets." j ".") \
                residual(substr(n, RLENGTH + 1))
        }
        print n
    }'
}

# renamed FILE COMMAND...: FILE's tensors, their names as COMMAND makes them of official ones
renamed() {
    _file=$1; shift
    tensor-info --names "$_file" >"$TMP/.ours"
    "$@" <"$TMP/.ours" >"$TMP/.theirs"
    paste -d = "$TMP/.ours" "$TMP/.theirs" | sed "s|^|$_file:|" | xargs tensor-pick
}

with_prefix() { sed "s/^/$1/"; }
