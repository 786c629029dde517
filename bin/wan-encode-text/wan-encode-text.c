/*
** wan-encode-text: prompts, one a line, to umT5 contexts, one document each.
**
** The weights are read layer by layer for as many prompts as make a batch: once for twenty prompts,
** not twenty times.
*/
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/line.h"
#include "../../common/openfile.h"
#include "../../common/recipe.h"
#include "../../common/utf8.h"
#include "clean.h"
#include "locate.h"
#include "prompts.h"
#include "t5.h"
#include "wan-encode-text.h"

/* A batch ends with the prompt that reaches one of these: its activations stay small beside the
 * weights, and long lists take no more memory than short ones. */
enum { BATCH_TOKENS = 4096, BATCH_PROMPTS = 1024 };

static const char *model_path, *tokenizer_path, *negative_text, *negative_file, *list_file;
static bool token_ids, print_ids, print_text, print_prompts, dry;
enum { NUMERICS = 2 }; /* 2: attention before Hopper */

static const option options[] = {
    {'m', "model", OPTION_TEXT, &model_path, 0, 0, true},
    {0, "tokenizer", OPTION_TEXT, &tokenizer_path, 0, 0, true},
    {'n', "negative", OPTION_TEXT, &negative_text, 0, 0, true},
    {0, "negative-file", OPTION_TEXT, &negative_file, 0, 0, true},
    {0, "token-ids", OPTION_FLAG, &token_ids, 0, 0, false},
    {0, "print-ids", OPTION_FLAG, &print_ids, 0, 0, true},
    {0, "print-text", OPTION_FLAG, &print_text, 0, 0, true},
    {0, "print-prompts", OPTION_FLAG, &print_prompts, 0, 0, true},
    {0, "of", OPTION_TEXT, &list_file, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

static weights *checkpoint; /* once it is open */

static weights *open_checkpoint(void)
{
    if (!checkpoint)
        checkpoint = model_find(model_path, PART_TEXT);
    return checkpoint;
}

/* ---- the negative prompt ---- */

/* The file's text without its last line end. */
static char *file_text(const char *path, size_t *n)
{
    FILE *f = input_file(path);
    char *s = NULL;
    size_t room = 0;
    ssize_t got = f ? getdelim(&s, &room, EOF, f) : -1;
    if (!f || ferror(f))
        die_errno("cannot read %s", path);
    *n = got > 0 ? (size_t)got : 0;
    if (got > 0)
        memmove(s, line_text(s, n), *n);
    if (*n == 0)
        die("%s is empty (-n ' ' is an empty negative prompt)", path);
    s[*n] = 0;
    fclose(f);
    if (!is_utf8(s, *n))
        die("%s is not UTF-8", path);
    return s;
}

/* Beside the program: in share/wan where it is installed, in pipelines/ where it was built. */
static char *default_file(void)
{
    static const char *const places[] = {"../share/wan", "../../pipelines"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (int i = 0; slash && i < 2; i++) {
        char *path = new_format("%s/%s/negative.txt", self, places[i]);
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    die("cannot find negative.txt in %s/%s or %s/%s: -n or --negative-file says another", self,
        places[0], self, places[1]);
}

/* As the reference has it, an empty negative prompt is the default one. To be freed. */
static char *negative_line(size_t *n)
{
    char *s, *path;
    if (negative_text && *negative_text) {
        s = new_format("%s", negative_text);
        *n = strlen(s);
        if (!is_utf8(s, *n))
            die("the negative prompt is not UTF-8");
    } else if (negative_file) {
        s = file_text(negative_file, n);
    } else {
        path = default_file();
        s = file_text(path, n);
        free(path);
    }
    return s;
}

static prompt negative_prompt(const prompt_rules *rules)
{
    size_t n;
    char *s = negative_line(&n);
    return prompt_of(rules, s, n, "the negative prompt");
}

/* ---- batches ---- */

/* Sequence 0 is the negative prompt in the first batch, and absent (no ids) in later ones. */
typedef struct {
    int n;
    prompt prompt[BATCH_PROMPTS + 1];
    int64_t length[BATCH_PROMPTS + 1], tokens;
} batch;

static void batch_add(batch *b, prompt p)
{
    b->prompt[b->n] = p;
    b->length[b->n++] = p.n;
    b->tokens += p.n;
}

static bool batch_read(batch *b, const prompt_rules *rules, prompt_list *list)
{
    int before = b->n;
    for (prompt p; b->n < BATCH_PROMPTS && b->tokens < BATCH_TOKENS;) {
        if (!prompt_read(&p, rules, list))
            break;
        batch_add(b, p);
    }
    return b->n > before;
}

/* Host F32 [tokens, D] */
static tensor batch_encode(const batch *b, const t5 *m)
{
    int32_t *ids = new_bytes((size_t)b->tokens * sizeof *ids), *end = ids;
    for (int i = 0; i < b->n; end += b->length[i++])
        memcpy(end, b->prompt[i].ids, (size_t)b->length[i] * sizeof *ids);
    tensor context = tensor_of(new_bytes((size_t)(b->tokens * m->width) * sizeof(float)), F32,
                               b->tokens, m->width);
    t5_encode(m, context, ids, b->n, b->length);
    free(ids);
    return context;
}

/* The metadata of a prompt's document; with --recipe they are all that there is. */
static void describe(document *d, weights *w, const prompt_rules *rules, const char *line,
                     const char *negative)
{
    json_t *extra = load_provenance(w, dry);
    json_object_set_new(extra, "text_len", json_integer(rules->most));
    json_object_set_new(extra, "tokenizer",
                        json_string(rules->pieces ? tokens_digest(rules->pieces).hex : ""));
    if (rules->pieces)
        json_object_set_new(extra, "ids_by", json_string(tokens_rule(rules->pieces)));
    json_object_set_new(extra, "negative", json_string(digest_of_text(negative).hex));
    json_object_set_new(extra, "input", json_string(digest_of_text(line).hex));
    metadata_set(d, "prompt", line);
    metadata_set(d, "negative_prompt", negative);
    provenance_add(d, options, NUMERICS, extra);
}

static void write_document(writer *out, const t5 *m, const prompt_rules *rules, const prompt *p,
                           tensor context, const prompt *negative, tensor context_null)
{
    document d = {0};
    describe(&d, m->w, rules, p->text, negative->text);
    document_add(&d, "context", context);
    document_add(&d, "context_null", context_null);
    writer_header(out, &d);
    writer_tensor(out, context);
    writer_tensor(out, context_null);
    writer_end(out);
    document_free(&d);
    stats_add("documents", 1);
    stats_add("tokens", (double)p->n);
}

static void encode_all(const t5 *m, const prompt_rules *rules, prompt_list *list)
{
    static batch b;
    writer out;
    device_find();
    writer_open(&out, stdout, "standard output");
    prompt negative = negative_prompt(rules);
    tensor context_null = {0};
    for (batch_add(&b, negative); batch_read(&b, rules, list); b.n = 0, b.tokens = 0) {
        if (!context_null.data)
            device_open(); /* the first prompts are here */
        stats_phase("encode");
        tensor context = batch_encode(&b, m);
        stats_phase("write");
        int first = context_null.data == NULL;
        if (first) {
            context_null = tensor_of(new_bytes((size_t)(negative.n * m->width) * sizeof(float)),
                                     F32, negative.n, m->width);
            host_convert(context_null, slice(context, 0, negative.n));
        }
        int64_t row = first ? negative.n : 0;
        for (int i = first; i < b.n; row += b.length[i++]) {
            write_document(&out, m, rules, &b.prompt[i], slice(context, row, b.length[i]),
                           &negative, context_null);
            prompt_free(&b.prompt[i]);
        }
        free(context.data);
        stats_phase("read");
    }
    free(context_null.data);
    prompt_free(&negative);
    stats_set("peak_device_bytes", (double)device_peak_bytes());
    writer_close(&out);
}

/* ---- --recipe ---- */

static void write_recipes(weights *w, const prompt_rules *rules, prompt_list *list)
{
    writer out;
    size_t n;
    char *negative = negative_line(&n);
    writer_open(&out, stdout, "standard output");
    for (char *s; (s = prompt_line(list, &n)); free(s)) {
        document d = {0};
        describe(&d, w, rules, s, negative);
        recipe_write(&out, &d);
        document_free(&d);
    }
    free(negative);
    writer_close(&out);
}

/* ---- without a model ---- */

static void print_all_ids(const prompt_rules *rules, prompt_list *list)
{
    for (prompt p; prompt_read(&p, rules, list); prompt_free(&p)) {
        for (int64_t i = 0; i < p.n; i++)
            printf("%s%d", i ? " " : "", p.ids[i]);
        printf("\n");
    }
}

static void print_all_text(prompt_list *list)
{
    size_t n;
    for (char *s; (s = prompt_line(list, &n)); free(s)) {
        text t = text_of(s, n);
        if (print_text)
            clean(&t);
        printf("%s\n", t.s);
        text_free(&t);
    }
}

/* --wait: standard input, read to its end before anything else is done. */
static FILE *all_input(void)
{
    FILE *f = tmpfile();
    char bytes[65536];
    if (!f)
        die_errno("cannot make a temporary file");
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, stdin)) > 0;)
        if (fwrite(bytes, 1, n, f) != n)
            die_errno("cannot keep standard input in a temporary file");
    if (ferror(stdin) || fflush(f) != 0)
        die_errno("cannot read standard input");
    rewind(f);
    return f;
}

static void check_usage(int operands)
{
    if (operands)
        usage_error("prompts are read from standard input: no operands are wanted");
    if (!model_path && !print_text && !print_prompts)
        usage_error("-m DIR or -m FILE is needed");
    if (print_ids + print_text + print_prompts + dry > 1)
        usage_error("--print-ids, --print-text, --print-prompts and --recipe exclude each other");
    if (negative_text && negative_file)
        usage_error("-n and --negative-file exclude each other");
    bool negative = (negative_text && *negative_text) || negative_file;
    if (token_ids && !print_ids && !negative)
        usage_error("--token-ids needs the ids of a negative prompt too (-n)");
}

int main(int argc, char **argv)
{
    check_usage(argc - program_begin(argc, argv, options, usage));
    prompt_list list = {.file = program_waits() ? all_input() : stdin, .name = list_file};
    if (list_file && !(list.of = input_file(list_file)))
        die_errno("cannot read %s", list_file);
    if (print_text || print_prompts) {
        print_all_text(&list);
        return program_end();
    }
    prompt_rules rules = {.most = text_len_of(model_path)};
    if (!token_ids)
        rules.pieces = tokens_find(model_path, tokenizer_path, open_checkpoint);
    if (print_ids) {
        print_all_ids(&rules, &list);
        tokens_close(rules.pieces);
        return program_end();
    }
    weights *w = open_checkpoint();
    weights_digest_begin(w);
    t5 model = t5_open(w);
    rules.vocabulary = model.vocabulary;
    if (dry)
        write_recipes(w, &rules, &list);
    else
        encode_all(&model, &rules, &list);
    weights_close(w);
    if (rules.pieces)
        tokens_close(rules.pieces);
    return program_end();
}
