/*
** metrics.c: the table of metrics, and what measures them. What each is, its range and what it
** misses, its program's man page says; wan-experiment(5) has the list.
*/
#include "metrics.h"

#include <stddef.h>
#include <string.h>

/* In the order in which they run: what is always there, then what needs weights. */
const source_row SOURCE[] = {
    {"clip", OF_VIDEO, ROWS_FRAMES, "clipscore", "CLIPSCORE", "--per-frame", "CLIP"},
    {"motion", OF_VIDEO, ROWS_NEIGHBOURS, "flowmag", "FLOWMAG", "--per-pair", NULL},
    {"stats", OF_VIDEO, ROWS_FRAMES, "framestats", "FRAMESTATS", "--per-frame", NULL},
    {"subject", OF_VIDEO, ROWS_FRAMES, "dinoscore", "DINOSCORE", "--per-frame", "DINO"},
    {"diff", OF_PAIR, ROWS_FRAMES, "framediff", "FRAMEDIFF", "--per-frame", NULL},
    {"vmaf", OF_PAIR, ROWS_FRAMES, "vmafscore", "-", "--per-frame", "VMAF"},
    {"lpips_alex", OF_PAIR, ROWS_FRAMES, "lpips", "-", "--net alex --per-frame", "LPIPS"},
    {"lpips_vgg", OF_PAIR, ROWS_FRAMES, "lpips", "-", "--net vgg --per-frame", "LPIPS"},
};
const int SOURCES = sizeof SOURCE / sizeof *SOURCE;

const metric_row METRIC_TABLE[] = {
    {"clip", "clip", "clip", "CLIP score", "CLIP score", "cosine", 1, 4, OF_VIDEO, MEAN, true},
    {"temporal", "clip", "temporal", "Temporal consistency", "Consistency", "cosine", 1, 4,
     OF_VIDEO, MEAN, true},
    {"motion", "motion", "magnitude", "Motion", "Motion", "pixels a frame", 0, 3, OF_VIDEO, MEAN,
     true},
    {"warp", "motion", "warp", "Warping error", "Warping", "levels of 255", -1, 3, OF_VIDEO, MEAN,
     false},
    {"dynamic", "motion", "dynamic", "Dynamic degree", "Dynamic", "1 moves, 0 stands", 0, 2,
     OF_VIDEO, MEAN, false},
    {"flicker", "stats", "flicker", "Flicker", "Flicker", "levels of 255", -1, 3, OF_VIDEO, MEAN,
     false},
    {"flicker2", "stats", "flicker2", "Flicker, second difference", "Flicker 2", "levels of 255",
     -1, 3, OF_VIDEO, MEAN, false},
    {"sharpness", "stats", "sharpness", "Sharpness", "Sharpness", "variance of the Laplacian", 0, 1,
     OF_VIDEO, MEAN, false},
    {"subject", "subject", "subject", "Subject consistency", "Subject", "cosine", 1, 4, OF_VIDEO,
     MEAN, false},
    {"psnr", "diff", "psnr", "PSNR", "PSNR", "dB", 1, 2, OF_PAIR, MEAN_OF_MSE, true},
    {"ssim", "diff", "ssim", "SSIM", "SSIM", "1 is equal", 1, 4, OF_PAIR, MEAN, true},
    {"mad", "diff", "mad", "Mean absolute difference", "MAD", "levels of 255", -1, 2, OF_PAIR, MEAN,
     true},
    {"vmaf", "vmaf", "vmaf", "VMAF", "VMAF", "of 100", 1, 2, OF_PAIR, MEAN, false},
    {"lpips_alex", "lpips_alex", "lpips", "LPIPS (AlexNet)", "LPIPS Alex", "0 is equal", -1, 4,
     OF_PAIR, MEAN, false},
    {"lpips_vgg", "lpips_vgg", "lpips", "LPIPS (VGG)", "LPIPS VGG", "0 is equal", -1, 4, OF_PAIR,
     MEAN, false},
};
const int METRIC_ROWS = sizeof METRIC_TABLE / sizeof *METRIC_TABLE;

const metric_row *metric_named(const char *name)
{
    for (int i = 0; i < METRIC_ROWS; i++)
        if (strcmp(METRIC_TABLE[i].name, name) == 0)
            return &METRIC_TABLE[i];
    return NULL;
}

const source_row *source_named(const char *name)
{
    for (int i = 0; i < SOURCES; i++)
        if (strcmp(SOURCE[i].name, name) == 0)
            return &SOURCE[i];
    return NULL;
}
