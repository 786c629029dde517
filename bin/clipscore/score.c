/*
** score.c: a video's vectors, what they say, and the lines that say it.
**
** clip is the mean over frames of cos(frame, text), temporal the mean over neighbours of
** cos(frame, next frame). What is not defined (the neighbours of a single frame, a text that is not
** there) is an empty cell, never 0 and never NaN.
*/
#include "score.h"

#include <math.h>
#include <stdio.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/program.h"
#include "../vectors.h"

static double with_text(const video *v, int64_t i)
{
    return vectors_cosine(rows(v->pictures, i, 1), v->text, v->document);
}

static double with_last(const video *v, int64_t i)
{
    return vectors_cosine(rows(v->pictures, i, 1), rows(v->pictures, i - 1, 1), v->document);
}

/* ---- lines ---- */

static void put_video(const video *v)
{
    printf("%d\t", v->document);
    print_cell(v->seed);
    print_cell(v->variant);
}

void score_header(bool per_frame)
{
    puts(per_frame ? "document\tseed\tvariant\tframe\tclip\ttemporal"
                   : "document\tseed\tvariant\tclip\tclip100\ttemporal\tframes");
}

static void print_frames(const video *v)
{
    for (int64_t i = 0; i < v->pictures.dim[0]; i++) {
        bool text = v->text.data != NULL;
        put_video(v);
        printf("%lld\t", (long long)i);
        print_number(text ? with_text(v, i) : NAN, '\t');
        print_number(i > 0 ? with_last(v, i) : NAN, '\n');
    }
}

static void print_video(const video *v)
{
    int64_t N = v->pictures.dim[0];
    double clip = 0, temporal = 0;
    bool text = v->text.data != NULL;
    for (int64_t i = 0; i < N; i++) {
        clip += text ? with_text(v, i) / (double)N : 0;
        temporal += i > 0 ? with_last(v, i) / (double)(N - 1) : 0;
    }
    put_video(v);
    print_number(text ? clip : NAN, '\t');
    print_number(text ? 100 * clip : NAN, '\t');
    print_number(N > 1 ? temporal : NAN, '\t');
    printf("%lld\n", (long long)N);
}

void score_print(const video *v, bool per_frame)
{
    if (per_frame)
        print_frames(v);
    else
        print_video(v);
    output_flush();
}
