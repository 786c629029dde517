/*
** replay.c: runs files through a fuzz target, one after another, without libFuzzer.
*/
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MOST = 1 << 20 };

int main(int argc, char **argv)
{
    static uint8_t bytes[MOST];
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        size_t n = fread(bytes, 1, MOST, f);
        fclose(f);
        fprintf(stderr, "%s\n", argv[i]); /* the last line is the one that it crashed on */
        LLVMFuzzerTestOneInput(bytes, n);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
