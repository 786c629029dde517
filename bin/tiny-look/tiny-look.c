/*
** tiny-look.c: what clips of fixtures/tiny's grammar show, and whether that is what was asked for.
** A judge for experiments with that model, as make's JUDGE wants one: a line a document.
**
** Nothing is learned and no model is asked; fixtures/tiny/clips.py has the same in look(). The
** background of a row is the mean of its ends. What differs from it by more than half of what the
** hundredth most different pixel does is the shape. Its colour is the nearest of the grammar's; its
** kind the one which, with the same area and centre, covers most of the same pixels; its motion the
** line through its centres. The hard idea is that half: it finds the edge of a shape of any colour
** on any background, blurred or not.
**
** right_* are 1 or 0, or empty where the document's prompt says nothing of it; right is their mean.
** It refuses frames
** with fewer pixels than make a shape.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "tiny-look.h"

static bool dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

enum { COLOURS = 8, SHAPES = 5, DIRECTIONS = 8, EDGE = 4, SURE = 100 };
static const double LEAST_CONTRAST = 30, LEAST_FADE = 20; /* levels */
static const double STILL = 6, QUICK = 24;                /* pixels, first frame to last */

static const char *const colour_name[COLOURS] = {"black",  "blue", "red",    "green",
                                                 "orange", "cyan", "yellow", "white"};
static const double palette[COLOURS][3] = {{20, 20, 20},   {30, 60, 200},  {220, 30, 40},
                                           {40, 160, 70},  {240, 120, 30}, {90, 205, 230},
                                           {250, 225, 60}, {245, 245, 245}};
static const char *const shape_name[SHAPES] = {"circle", "square", "triangle", "cross", "ring"};
static const double unit_area[SHAPES] = {M_PI, 3.139984, 2.367441, 2.7664, 2.714336};
static const char *const direction_name[DIRECTIONS] = {
    "right",       "left",           "up",           "down", "up and right",
    "up and left", "down and right", "down and left"};
static const double direction[DIRECTIONS][2] = {{1, 0},  {-1, 0},  {0, -1}, {0, 1},
                                                {1, -1}, {-1, -1}, {1, 1},  {-1, 1}};
static const char *const speed_name[2] = {"slowly", "quickly"};

/* ---- scenes: what was asked, what is seen ---- */

enum { UNSAID = -2, NOT_MOVING = -1 };

typedef struct {
    int colour, shape, direction, speed, background, gradient;
} scene;

static int named(const char *word, int n, const char *const names[])
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    return UNSAID;
}

/* One word of a prompt; x and y collect the direction. */
static void read_word(scene *s, const char *word, bool *ground, int *x, int *y)
{
    int colour = named(word, COLOURS, colour_name), shape = named(word, SHAPES, shape_name);
    int speed = named(word, 2, speed_name);
    if (colour != UNSAID)
        *(*ground ? &s->background : &s->colour) = colour;
    if (shape != UNSAID)
        s->shape = shape;
    if (speed != UNSAID)
        s->speed = speed;
    if (strcmp(word, "still") == 0)
        s->direction = s->speed = NOT_MOVING;
    if (strcmp(word, "over") == 0)
        *ground = true;
    if (strcmp(word, "background") == 0 && s->gradient == UNSAID)
        s->gradient = 0;
    if (strcmp(word, "gradient") == 0)
        s->gradient = 1;
    *x += (strcmp(word, "right") == 0) - (strcmp(word, "left") == 0);
    *y += (strcmp(word, "down") == 0) - (strcmp(word, "up") == 0);
}

static scene asked(const char *prompt)
{
    scene s = {UNSAID, UNSAID, UNSAID, UNSAID, UNSAID, UNSAID};
    char *text = new_format("%s", prompt ? prompt : ""), *rest = text, *word;
    bool ground = false;
    int x = 0, y = 0;
    while ((word = strtok_r(rest, " .,", &rest)))
        read_word(&s, word, &ground, &x, &y);
    for (int i = 0; i < DIRECTIONS; i++)
        if ((x || y) && direction[i][0] == x && direction[i][1] == y)
            s.direction = i;
    free(text);
    return s;
}

/* ---- pictures ---- */

/* Signed distance from the edge of a shape of size 1, negative inside. */
static double distance(int shape, double x, double y)
{
    double r = hypot(x, y);
    switch (shape) {
    case 0: return r - 1;
    case 1: return fmax(fabs(x), fabs(y)) - 0.886;
    case 2: return fmax(y, fabs(x) * sqrt(3) / 2 - y / 2) - 0.675;
    case 3: {
        double wide = fmax(fabs(x) - 1.1, fabs(y) - 0.38);
        return fmin(wide, fmax(fabs(x) - 0.38, fabs(y) - 1.1));
    }
    default: return fabs(r - 0.8) - 0.27;
    }
}

static double apart(const double a[3], const double b[3])
{
    return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                (a[2] - b[2]) * (a[2] - b[2]));
}

static int nearest(const double colour[3])
{
    int best = 0;
    for (int i = 1; i < COLOURS; i++)
        if (apart(colour, palette[i]) < apart(colour, palette[best]))
            best = i;
    return best;
}

static void pixel(double to[3], tensor frame, int64_t y, int64_t x)
{
    const unsigned char *p = (const unsigned char *)frame.data + 3 * (y * frame.dim[2] + x);
    for (int c = 0; c < 3; c++)
        to[c] = p[c];
}

/* The mean of the row's first and last pixels. */
static void row_ends(double to[3], tensor frame, int64_t y)
{
    int64_t W = frame.dim[2];
    to[0] = to[1] = to[2] = 0;
    for (int i = 0; i < 2 * EDGE; i++) {
        double p[3];
        pixel(p, frame, y, i < EDGE ? i : W - 1 - (i - EDGE));
        for (int c = 0; c < 3; c++)
            to[c] += p[c] / (2 * EDGE);
    }
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* ---- a clip ---- */

/* Sums over the frames that show something. */
typedef struct {
    int n;
    double colour[3], high[3], low[3], likeness[SHAPES];
    double t, x, y, tt, tx, ty; /* of the line through the centres */
} sums;

/* The pixels that are the shape: differs > top / 2. Adds its colour, centre and likeness. */
static void add_shape(sums *s, tensor frame, const double *differs, double top, int64_t f)
{
    int64_t H = frame.dim[1], W = frame.dim[2], area = 0, sure = 0;
    double cx = 0, cy = 0, colour[3] = {0}, p[3];
    for (int64_t i = 0; i < H * W; i++) {
        if (differs[i] > top / 2) {
            area++;
            cx += (double)(i % W) + 0.5;
            cy += (double)(i / W) + 0.5;
        }
        if (differs[i] > 0.85 * top) {
            sure++;
            pixel(p, frame, i / W, i % W);
            for (int c = 0; c < 3; c++)
                colour[c] += p[c];
        }
    }
    cx /= (double)area;
    cy /= (double)area;
    for (int k = 0; k < SHAPES; k++) {
        double size = sqrt((double)area / unit_area[k]), both = 0, either = 0;
        for (int64_t i = 0; i < H * W; i++) {
            double x = (double)(i % W) + 0.5 - cx, y = (double)(i / W) + 0.5 - cy;
            bool is = differs[i] > top / 2, would = distance(k, x / size, y / size) < 0;
            both += is && would;
            either += is || would;
        }
        s->likeness[k] += both / either;
    }
    for (int c = 0; c < 3; c++)
        s->colour[c] += colour[c] / (double)sure;
    double t = (double)f;
    s->n++;
    s->t += t, s->x += cx, s->y += cy, s->tt += t * t, s->tx += t * cx, s->ty += t * cy;
}

static void add_frame(sums *s, tensor frame, int64_t f)
{
    int64_t H = frame.dim[1], W = frame.dim[2];
    double *differs = new_bytes((size_t)(H * W) * sizeof *differs), *sorted, p[3], ends[3];
    for (int64_t i = 0; i < H * W; i++) {
        if (i % W == 0)
            row_ends(ends, frame, i / W);
        pixel(p, frame, i / W, i % W);
        differs[i] = apart(p, ends);
    }
    sorted = new_bytes((size_t)(H * W) * sizeof *sorted);
    memcpy(sorted, differs, (size_t)(H * W) * sizeof *sorted);
    qsort(sorted, (size_t)(H * W), sizeof *sorted, falling);
    double top = sorted[SURE - 1];
    if (top >= LEAST_CONTRAST)
        add_shape(s, frame, differs, top, f);
    for (int i = 0; i < EDGE; i++) {
        double high[3], low[3];
        row_ends(high, frame, i);
        row_ends(low, frame, H - 1 - i);
        for (int c = 0; c < 3; c++) {
            s->high[c] += high[c] / EDGE;
            s->low[c] += low[c] / EDGE;
        }
    }
    free(differs);
    free(sorted);
}

/* Which way the centres go, by least squares, from the first frame to the last of N. */
static void judge_motion(scene *seen, const sums *s, int64_t N)
{
    double n = s->n, spread = s->tt - s->t * s->t / n;
    double x = (s->tx - s->t * s->x / n) / spread * (double)(N - 1);
    double y = (s->ty - s->t * s->y / n) / spread * (double)(N - 1), best = 0;
    seen->direction = seen->speed = NOT_MOVING;
    if (hypot(x, y) < STILL)
        return;
    for (int i = 0; i < DIRECTIONS; i++) {
        double along =
            (direction[i][0] * x + direction[i][1] * y) / hypot(direction[i][0], direction[i][1]);
        if (along > best) {
            best = along;
            seen->direction = i;
        }
    }
    seen->speed = hypot(x, y) >= QUICK;
}

static scene look(tensor frames)
{
    scene seen = {UNSAID, UNSAID, UNSAID, UNSAID, UNSAID, UNSAID};
    sums s = {0};
    int64_t N = frames.dim[0];
    if (frames.dim[1] * frames.dim[2] <= 2 * SURE || frames.dim[2] < 2 * EDGE)
        die("frames of %s are too small to show a shape", tensor_text(frames));
    for (int64_t f = 0; f < N; f++)
        add_frame(&s, slice(frames, f, 1), f);
    for (int c = 0; c < 3; c++) {
        s.colour[c] /= s.n ? s.n : 1;
        s.high[c] /= (double)N;
        s.low[c] /= (double)N;
    }
    seen.background = nearest(s.high);
    seen.gradient = apart(s.high, s.low) >= LEAST_FADE;
    if (s.n < 2)
        return seen;
    seen.colour = nearest(s.colour);
    seen.shape = 0;
    for (int k = 1; k < SHAPES; k++)
        if (s.likeness[k] > s.likeness[seen.shape])
            seen.shape = k;
    judge_motion(&seen, &s, N);
    return seen;
}

/* ---- the table ---- */

static void put(int value, const char *const names[], const char *otherwise)
{
    printf("%s\t", value >= 0 ? names[value] : value == NOT_MOVING ? otherwise : "?");
}

enum { JUDGED = 6 };

/* What the prompt asked for, whether it is seen, and the share of it that is. */
static void put_right(const scene *want, const scene *seen)
{
    const int asked_for[JUDGED] = {want->colour, want->shape,      want->direction,
                                   want->speed,  want->background, want->gradient};
    const int is[JUDGED] = {seen->colour, seen->shape,      seen->direction,
                            seen->speed,  seen->background, seen->gradient};
    double right = 0, of = 0;
    for (int i = 0; i < JUDGED; i++) {
        if (asked_for[i] != UNSAID) {
            printf("%d", asked_for[i] == is[i]);
            right += asked_for[i] == is[i];
            of++;
        }
        putchar('\t');
    }
    print_number(of > 0 ? right / of : NAN, '\n');
}

static void print_line(const reader *r, scene want, scene seen)
{
    static const char *const kinds[] = {"plain", "gradient"};
    printf("%d\t", r->documents);
    print_cell(metadata_get(&r->d, "seed"));
    print_cell(metadata_get(&r->d, "variant"));
    put(seen.colour, colour_name, "?");
    put(seen.shape, shape_name, "?");
    put(seen.direction, direction_name, "still");
    put(seen.speed, speed_name, "still");
    put(seen.background, colour_name, "?");
    put(seen.gradient, kinds, "?");
    put_right(&want, &seen);
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (first < argc)
        usage_error("unwanted operand '%s'", argv[first]);
    if (dry) {
        recipe_print(options, NUMERICS, NULL);
        return program_end();
    }
    reader r;
    reader_open(&r, stdin, "standard input");
    if (program_waits())
        reader_wait(&r);
    puts("document\tseed\tvariant\tcolour\tshape\tdirection\tspeed\tbackground\tkind\t"
         "right_colour\tright_shape\tright_direction\tright_speed\tright_background\tright_kind\t"
         "right");
    while (reader_next(&r)) {
        frames_shape(&r);
        reader_load(&r);
        print_line(&r, asked(metadata_get(&r.d, "prompt")), look(document_find(&r.d, "frames")->t));
        stats_add("documents", 1);
    }
    if (r.documents == 0)
        die("standard input has no document");
    return program_end();
}
