/*
** csv.c: tables as RFC 4180 has them, read and written. What is refused, t/75-report.t looks at.
*/
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../common/csv.h"
#include "suite.h"

static csv table(const char *text)
{
    csv t;
    FILE *f = tmpfile();
    fwrite(text, 1, strlen(text), f);
    rewind(f);
    csv_read(&t, f, "table");
    fclose(f);
    return t;
}

START_TEST(plain_fields)
{
    csv t = table("a,b\n1,2\r\n,4");
    ck_assert_int_eq(t.columns, 2);
    ck_assert_int_eq(t.rows, 2);
    ck_assert_str_eq(t.header[1], "b");
    ck_assert_str_eq(csv_text(&t, 0, 1), "2");
    ck_assert_str_eq(csv_text(&t, 1, 0), "");
    ck_assert_str_eq(csv_text(&t, 1, 1), "4");
    csv_close(&t);
}
END_TEST

START_TEST(quoted_fields)
{
    csv t = table("\"a\",\"b \"\"c\"\"\"\n\"1,\r\n2\",\"\"\n3,\"\"\"\"\n");
    ck_assert_int_eq(t.rows, 2);
    ck_assert_str_eq(t.header[1], "b \"c\"");
    ck_assert_str_eq(csv_text(&t, 0, 0), "1,\r\n2");
    ck_assert_str_eq(csv_text(&t, 0, 1), "");
    ck_assert_str_eq(csv_text(&t, 1, 1), "\"");
    ck_assert_int_eq(t.line[1], 4);
    csv_close(&t);
}
END_TEST

/* What is written for spreadsheets, and that it is read back as it was. */
START_TEST(active_cells)
{
    static const struct {
        const char *text, *written;
    } cells[] = {
        {"=1+1", "'=1+1"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"+1-800", "'+1-800"},
        {"-x", "'-x"},
        {"\tx", "'\tx"},
        {"'=1", "''=1"},
        {"-5", "-5"},
        {"+2.5e3", "+2.5e3"},
        {"'-5", "''-5"},
        {"a=1", "a=1"},
        {"'a'", "'a'"},
        {"-", "'-"},
        {"=\"a\",b", "\"'=\"\"a\"\",b\""},
        {"\r=1", "\"'\r=1\""},
    };
    enum { CELLS = sizeof cells / sizeof *cells };
    for (int i = 0; i < CELLS; i++) {
        char written[64] = "", whole[80];
        FILE *f = fmemopen(written, sizeof written, "w");
        csv_field(f, cells[i].text);
        fclose(f);
        ck_assert_str_eq(written, cells[i].written);
        snprintf(whole, sizeof whole, "a\r\n%s\r\n", written);
        csv t = table(whole);
        ck_assert_str_eq(csv_text(&t, 0, 0), cells[i].text);
        csv_close(&t);
    }
}
END_TEST

START_TEST(header_alone)
{
    csv t = table("a,b\r\n"), one = table("\xef\xbb\xbf"
                                          "a");
    ck_assert_int_eq(t.rows, 0);
    ck_assert_int_eq(t.columns, 2);
    ck_assert_str_eq(t.header[1], "b");
    ck_assert_str_eq(one.header[0], "a");
    csv_close(&t);
    csv_close(&one);
}
END_TEST

START_TEST(columns_and_numbers)
{
    csv t = table("x,y\n-1.5e3,\ninf,0\n");
    ck_assert_int_eq(csv_column(&t, "y"), 1);
    ck_assert_int_eq(csv_find(&t, "z"), -1);
    ck_assert_double_eq(csv_number(&t, 0, 0), -1500);
    ck_assert(isnan(csv_number(&t, 0, 1)));
    ck_assert(isnan(csv_number(&t, 0, -1)));
    ck_assert(isinf(csv_number(&t, 1, 0)));
    csv_close(&t);
}
END_TEST

START_TEST(written_and_read)
{
    static const char *const texts[] = {"", "a", "a,b", "\"", "x\ny\r\n", " \xc3\xa9 ", "\r"};
    static const double figures[] = {0, 1, 0.1, -1.0 / 3, 1e300, 5e-324, 123456789};
    FILE *f = tmpfile();
    csv t;
    fputs("text,figure\r\n", f);
    for (int i = 0; i < 7; i++) {
        csv_field(f, texts[i]);
        putc(',', f);
        csv_figure(f, figures[i]);
        fputs("\r\n", f);
    }
    fputs("x,", f);
    csv_figure(f, NAN);
    rewind(f);
    csv_read(&t, f, "table");
    fclose(f);
    ck_assert_int_eq(t.rows, 8);
    for (int i = 0; i < 7; i++) {
        ck_assert_str_eq(csv_text(&t, i, 0), texts[i]);
        ck_assert(csv_number(&t, i, 1) == figures[i]);
    }
    ck_assert_str_eq(csv_text(&t, 2, 1), "0.1");
    ck_assert_str_eq(csv_text(&t, 7, 1), "");
    csv_close(&t);
}
END_TEST

TESTS(NULL, 60, plain_fields, quoted_fields, active_cells, header_alone, columns_and_numbers,
      written_and_read)
