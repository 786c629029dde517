#!/usr/bin/perl
# libvmaf.pl: an ffmpeg with a filter libvmaf, for tests where there is none: of the same command line it reads the frames,
# parts them as crop says, and "scores" them 100 less the mean absolute difference. Instead of another command the real
# ffmpeg runs, REAL_FFMPEG.
use strict;
my @real = split ' ', $ENV{REAL_FFMPEG} // 'ffmpeg-is-not-there';
my $command = "@ARGV";
if ($command =~ /filter=libvmaf/) { print "libvmaf AVOptions:\n log_path\n"; exit }
exec @real, @ARGV unless $command =~ /libvmaf=/;
my ($W, $H2) = $command =~ /-pix_fmt rgb24 -s (\d+)x(\d+) -i pipe:0/ or die "no size\n";
my $number = qr/(\d+)/;
my @crop = $command =~ /\[x\]crop=$number:$number:$number:$number,\S+?\[reference\];\[y\]crop=$number:$number:$number:$number,\S+?\[other\];\[other\]\[reference\]libvmaf=model=version=(\w[\w.]*):/
    or die "other filters\n";
die "[libvmaf \@ 0x1] could not load libvmaf model with version: $crop[8]\nError parsing options\n" unless $crop[8] eq 'vmaf_v0.6.1';
die "[crop \@ 0x1] too large\n" if $crop[1] + $crop[3] > $H2 || $crop[5] + $crop[7] > $H2;
binmode STDIN;
my @scores;
while (read STDIN, my $frame, 3 * $W * $H2) {
    my ($x, $y) = map { substr $frame, 3 * $W * $crop[$_ + 3], 3 * $W * $crop[$_ + 1] } 0, 4;
    my ($sum, @x) = (0, unpack 'C*', $x);
    my @y = unpack 'C*', $y;
    $sum += abs $x[$_] - $y[$_] for 0 .. $#x;
    push @scores, 100 - $sum / @x + ($x[0] > $y[0] ? 0.5 : 0);
}
pop @scores if $ENV{LIBVMAF_DROPS};
print '{"version": "0.0.0", "frames": [', join(', ', map { "{\"frameNum\": $_, \"metrics\": {\"vmaf\": $scores[$_]}}" } 0 .. $#scores), "]}\n";
