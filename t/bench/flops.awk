# flops.awk: GFLOP of the three stages: encode, denoise, decode.
#
#     awk -v size=832x480 -v frames=13 -v steps=20 -v layers=24 -f flops.awk
#
# Counted are products (two a multiply and add) of linears, attention and convolutions, of umT5-xxl with
# 20 tokens and 127 of the negative prompt, the 1.3B with both passes of guidance, and the decoder.
BEGIN {
    split(size, s, "x"); T = int((frames - 1) / 4) + 1; y = s[2] / 8; x = s[1] / 8
    n = 20; m = 127
    text = 2 * (n + m) * layers * (4 * 4096 * 4096 + 3 * 4096 * 10240) + 4 * (n * n + m * m) * 4096 * layers
    L = T * y * x / 4; D = 1536; F = 8960
    block = 2 * L * (6 * D * D + 2 * D * F) + 4 * L * L * D + 4 * L * ((n + m) / 2 + 1) * D
    denoise = steps * 2 * (30 * block + 2 * L * D * 128) + 30 * 2 * (n + m + 2) * 2 * D * D
    for (i = 0; i < T; i++) {
        t1 = 1; t2 = i ? 2 : 1; t3 = i ? 4 : 1; p = y * x
        decode += conv(p, 16, 384, 27) + 4 * conv(p, 384, 384, 27) + conv(p, 384, 1152, 1) + conv(p, 384, 384, 1) + 4 * p * p * 384
        decode += 6 * conv(p, 384, 384, 27) + (i ? conv(p, 384, 768, 3) : 0) + conv(4 * p * t2, 384, 192, 9)
        p *= 4
        decode += conv(p * t2, 192, 384, 28) + 5 * conv(p * t2, 384, 384, 27) + (i ? conv(p * t2, 384, 768, 3) : 0) + conv(4 * p * t3, 384, 192, 9)
        p *= 4
        decode += 6 * conv(p * t3, 192, 192, 27) + conv(4 * p * t3, 192, 96, 9)
        p *= 4
        decode += 6 * conv(p * t3, 96, 96, 27) + conv(p * t3, 96, 3, 27)
    }
    print text / 1e9, denoise / 1e9, decode / 1e9
}
function conv(pixels, from, to, taps) { return 2 * pixels * from * to * taps }
