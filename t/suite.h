/*
** suite.h: the main of the Check programs: TESTS(begin, seconds, TEST, ..) runs each TEST for at most so
** many seconds, after begin() (device_open, say; NULL: nothing). The program is the suite.
*/
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <string.h>

#include "../common/die.h"

static inline int suite_run(const char *argv0, int seconds, size_t n, const TTest *const test[])
{
    const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < n; i++) {
        TCase *alone = tcase_create(test[i]->name);
        tcase_set_timeout(alone, seconds);
        tcase_add_test(alone, test[i]);
        suite_add_tcase(suite, alone);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#define SUITE_RUN(argv0, seconds, ...)                                                             \
    suite_run(argv0, seconds, sizeof(const TTest *const[]){__VA_ARGS__} / sizeof(const TTest *),   \
              (const TTest *const[]){__VA_ARGS__})

#define TESTS(begin, seconds, ...)                                                                 \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        void (*before)(void) = begin;                                                              \
        (void)argc;                                                                                \
        program_name_set(argv[0]);                                                                 \
        if (before)                                                                                \
            before();                                                                              \
        return SUITE_RUN(argv[0], seconds, __VA_ARGS__);                                           \
    }

#endif
