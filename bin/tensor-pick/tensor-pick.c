/*
** tensor-pick: makes one document of tensors from others: chosen, renamed, cut, converted.
**
** It refuses to compute: what comes out are elements that went in. Data are taken from a map of
** their file and written one tensor after the other, so a checkpoint need not fit into memory.
*/
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../../common/source.h"
#include "../../common/values.h"
#include "pick.h"
#include "tensor-pick.h"

static option_list keys;
static const char *type_wanted;
enum { NUMERICS = 1 };
static int64_t document_number = 1;

static const option options[] = {
    {'k', "metadata", OPTION_LIST, &keys, 0, 0, false},
    {'t', "type", OPTION_TEXT, &type_wanted, 0, 0, false},
    {'d', "document", OPTION_INT, &document_number, 1, 0x1p31, false},
    OPTIONS_END,
};

static void set_keys(document *d)
{
    for (int i = 0; i < keys.n; i++) {
        const char *equals = strchr(keys.text[i], '=');
        if (!equals || equals == keys.text[i])
            usage_error("-k takes KEY=VALUE, not '%s'", keys.text[i]);
        char *key = new_format("%.*s", (int)(equals - keys.text[i]), keys.text[i]);
        metadata_set(d, key, equals + 1);
        free(key);
    }
}

/* A document that is another but for its metadata keeps that one's recipe. What was put together or
 * changed has none: it is named by its content (recipe.h). */
static void note_provenance(document *d, const pick_list *list, tensor_type type)
{
    const char *recipe = metadata_get(d, RECIPE_KEY);
    char *kept = recipe && pick_is_whole(list, type) ? new_format("%s", recipe) : NULL;
    provenance_add(d, options, NUMERICS, NULL);
    if (kept)
        metadata_set(d, RECIPE_KEY, kept);
    free(kept);
}

static void write_document(document *d, const pick_list *list)
{
    writer w;
    writer_open(&w, stdout, "standard output");
    writer_header(&w, d);
    for (int i = 0; i < d->entries; i++)
        pick_write(&w, d->entry[i].t, pick_named(list, d->entry[i].name));
    writer_end(&w);
}

int main(int argc, char **argv)
{
    pick_list list = {0};
    document d = {0};
    tensor_type type = TENSOR_TYPES;
    int first = program_begin(argc, argv, options, usage);
    if (first == argc)
        usage_error("at least one FILE[:NAME] is needed");
    if (type_wanted && !type_from_name(&type, type_wanted))
        usage_error("there is no type '%s'", type_wanted);
    if (type_wanted && (type == F8_E4M3 || type == F8_E5M2 || type > BOOL))
        usage_error("nothing is converted to %s", type_wanted);
    for (int i = first; i < argc; i++)
        pick_operand(&list, argv[i], (int)document_number);
    pick_declare(&list, type, &d);
    set_keys(&d);
    note_provenance(&d, &list, type);
    write_document(&d, &list);
    document_free(&d);
    pick_free(&list);
    return program_end();
}
