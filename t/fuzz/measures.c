/*
** measures.c: what filters printed of a pair of videos, as pair-tables reads it: tables with tabs,
** a judge's among them. An input is parts, which zero bytes divide; the first byte of each says
** what it is instead of what the target has: the record of both videos (r), the table of a source
** (a to g) or the judge's (j).
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../bin/pair-tables/judged.h"
#include "../../bin/pair-tables/video.h"
#include "fuzz.h"

#define HEAD(inputs) "# {\"digest\":\"0\",\"inputs\":[" inputs "],\"record\":[]}\n"
#define OF_ONE HEAD("\"c0\"")
#define OF_TWO HEAD("\"c0\",\"c0\"")

static const struct {
    char letter;
    const char *name, *text;
} files[] = {
    {'r', "/n.json",
     "{\"content\":\"c0\",\"metadata\":{\"prompt\":\"a\",\"seed\":\"1\",\"wan-denoise\":\"{"
     "\\\"version\\\":\\\"1\\\",\\\"steps\\\":4}\"},\"tensors\":[{\"name\":\"frames\",\"shape\":"
     "[2,16,16,3]}]}"},
    {'a', "/n.clip.tsv", OF_ONE "document\tframe\tclip\ttemporal\n1\t0\t0.3\t\n1\t1\t0.3\t0.9\n"},
    {'b', "/n.motion.tsv", OF_ONE "document\tframe\tmagnitude\twarp\tdynamic\n1\t1\t0.5\t2\t1\n"},
    {'c', "/n.stats.tsv",
     OF_ONE "document\tframe\tflicker\tflicker2\tsharpness\n1\t0\t\t\t9\n1\t1\t1\t2\t9\n"},
    {'d', "/n.subject.tsv", OF_ONE "document\tframe\tsubject\n1\t0\t\n1\t1\t0.9\n"},
    {'e', "/n.diff.tsv",
     OF_TWO "document\tframe\tpsnr\tssim\tmad\n1\t0\t30\t0.9\t2\n1\t1\tinf\t1\t0\n"},
    {'f', "/n.lpips_alex.tsv", OF_TWO "document\tframe\tlpips\n1\t0\t0.1\n1\t1\t0.1\n"},
    {'g', "/n.lpips_vgg.tsv", OF_TWO "document\tframe\tlpips\n1\t0\t0.1\n1\t1\t0.1\n"},
    {'j', "/n.judge.tsv", OF_ONE "document\tgood\tword\n1\t0.5\tyes\n"},
};
enum { FILES = sizeof files / sizeof *files };

static bool changed[FILES];

void fuzz_begin(void)
{
    for (int i = 0; i < FILES; i++)
        fuzz_mapped(files[i].name, files[i].text, strlen(files[i].text));
}

static void take_parts(const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < FILES; i++)
        if (changed[i]) {
            fuzz_mapped(files[i].name, files[i].text, strlen(files[i].text));
            changed[i] = false;
        }
    for (size_t size; n;) {
        const char *part = fuzz_part(&bytes, &n, &size);
        for (int i = 0; size && i < FILES; i++)
            if (files[i].letter == *part) {
                fuzz_mapped(files[i].name, size > 1 ? part + 1 : NULL, size - 1);
                changed[i] = true;
            }
    }
}

static void ask_all(const measured_values *m)
{
    for (int i = 0; i < METRIC_ROWS; i++) {
        value_of(m, &METRIC_TABLE[i]);
        for (int64_t frame = 0; frame < m->n && frame < 8; frame++)
            frame_of(m, &METRIC_TABLE[i], frame);
    }
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    take_parts(bytes, n);
    video v = video_read("e", "v", "n");
    measured_values pair = pair_read("e", "v_vs_v", &v, &v);
    judged j = judged_of(&v, 1);
    ask_all(&v.measured);
    ask_all(&pair);
    for (int i = 0; i < j.metrics; i++)
        if (isinf(judged_number(&v, j.name[i])))
            fuzz_broken("a judge's number is finite");
    judged_free(&j);
    values_free(&pair);
    video_free(&v);
}
