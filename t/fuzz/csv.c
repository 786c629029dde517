/*
** csv.c: a table. What was read is written, read again, and must be the same.
*/
#include "../../common/csv.h"

#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static FILE *again;

void fuzz_begin(void) { again = fuzz_blank(); }

static void write_table(FILE *f, const csv *t)
{
    for (int row = -1; row < t->rows; row++)
        for (int i = 0; i < t->columns; i++) {
            csv_field(f, row < 0 ? t->header[i] : csv_text(t, row, i));
            fputs(i + 1 < t->columns ? "," : "\r\n", f);
        }
}

static void compare(const csv *a, const csv *b)
{
    if (a->rows != b->rows || a->columns != b->columns)
        fuzz_broken("a table that was written is as large");
    for (int row = 0; row < a->rows; row++)
        for (int i = 0; i < a->columns; i++)
            if (strcmp(csv_text(a, row, i), csv_text(b, row, i)) != 0)
                fuzz_broken("a field that was written is the same");
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    csv t, copy;
    FILE *f = fuzz_open(bytes, n);
    csv_read(&t, f, "input");
    fclose(f);
    rewind(again);
    if (ftruncate(fileno(again), 0) != 0)
        fuzz_broken("a file in memory can be emptied");
    write_table(again, &t);
    fflush(again);
    rewind(again);
    csv_read(&copy, again, "copy");
    compare(&t, &copy);
    csv_close(&copy);
    for (int i = 0; i < t.columns; i++)
        for (int row = 0; row < t.rows; row++)
            csv_number(&t, row, i); /* dies at the first that is none */
    csv_close(&t);
}
