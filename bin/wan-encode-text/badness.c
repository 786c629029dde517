/*
** badness.c: does a text look like misread UTF-8?
**
** The heuristic of ftfy 6 (Robyn Speer; "Heuristics for detecting mojibake" in its documentation):
** the four hundred characters that misread UTF-8 is made of fall into classes, and some classes
** hardly ever stand side by side in honest text: a small accented letter before a currency sign,
** say. The classes and the neighbours below are those of ftfy 6.3.1; one find is enough.
*/
#include "mojibake.h"

/* ---- classes, as they stand within [] ---- */

#define COMMON "\u00a0\u00ad\u00b7\u00b4\u2013\u2014\u2015\u2026\u2019"
#define C1 "\\x{80}-\\x{9f}"
#define BAD "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\ufffd"
#define LAW "§¶"
#define CURRENCY "¢£¥₧€"
#define OPENING "¡©«¿\u0384\u0385‘‚“„•‹\uf8ff"
#define CLOSING "®»˝”›™"
#define NUMERIC "±-³µ¹¼-¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"
#define FACES "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"
#define UPPER                                                                                      \
    "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇ"                                    \
    "ŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"
#define LOWER "ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"
#define UPPER_COMMON "ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я"
#define LOWER_COMMON "ά-ωа-џ"
#define BOX "│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓"
#define SPACE                                                                                      \
    "\\t-\\r\\x1c-\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
    "\\x{3000}"
#define WORD "\\p{L}\\p{N}_"

/* What "Ø" or "Ù" before it makes of the second byte of an Arabic letter. */
#define ARABIC "[ØÙ][" COMMON CURRENCY BAD NUMERIC OPENING "ŸŠ®°µ»]"
#define MARKS LOWER UPPER BOX OPENING CLOSING CURRENCY NUMERIC LAW
#define BYTE_OF_WORD C1 BAD OPENING CLOSING CURRENCY "°"

bool looks_misread(const text *t)
{
    static regex unlikely = {
        .pattern =
            "[" C1 "]"
            /* of classes */
            "|[" BAD MARKS "][" BAD "]"
            "|[a-zA-Z][" LOWER_COMMON UPPER_COMMON "][" BAD "]"
            "|[" BAD "][" MARKS "]"
            "|[" LOWER LOWER_COMMON BOX CLOSING CURRENCY NUMERIC "][" UPPER "]"
            "|[" BOX CLOSING CURRENCY NUMERIC "][" LOWER "]"
            "|[" LOWER BOX CLOSING "][" CURRENCY "]"
            "|[" SPACE "][" UPPER "][" CURRENCY "]"
            "|[" UPPER BOX "][" NUMERIC LAW "]"
            "|[" LOWER UPPER BOX CURRENCY CLOSING "][" OPENING "][" NUMERIC "]"
            "|[" LOWER UPPER CURRENCY NUMERIC BOX LAW "][" CLOSING "][" OPENING "]"
            "|[" CURRENCY NUMERIC BOX "][" OPENING "]"
            "|[a-z][" UPPER "][" OPENING CURRENCY "]"
            "|[" BOX "][" FACES "]"
            "|[" LOWER UPPER CURRENCY NUMERIC OPENING CLOSING LAW "][" BOX "]"
            "|[" BOX "][" CLOSING "]"
            "|[" LOWER UPPER "][" OPENING CLOSING "][" WORD "]"
            /* the ligature, but before a plain Latin letter; degrees of a capital letter */
            "|[Œœ][^A-Za-z]"
            "|[" UPPER "]°"
            /* windows-1252: two bytes; squares; Arabic; letters of South Asia */
            "|[ÂÃÎÐ][€œŠš¢£Ÿž\u00a0\u00ad®©°·»" OPENING CLOSING "–—´]"
            "|×[²³]"
            "|" ARABIC ARABIC "|à[²µ¹¼½¾]"
            /* MacRoman */
            "|√[±∂†≠®™´≤≥¥µø]"
            "|≈[°¢]"
            "|‚Ä[ìîïòôúùû†°¢π]"
            "|‚[âó][àä°ê]"
            /* windows-1251: punctuation; its own letters and Latin-1's; the same twice over */
            "|вЂ"
            "|[ВГРС][" BYTE_OF_WORD "µ][ВГРС]"
            "|ГўВЂВ.[A-Za-z ]"
            /* à, á and the blank that does not break; a blank that was one such */
            "|Ã[\u00a0¡]"
            "|[a-z][" SPACE "]?[ÃÂ] "
            "|^[ÃÂ] "
            "|[a-z.,?!" CLOSING "]Â[ " OPENING CLOSING "]"
            /* windows-1253 and windows-1257 */
            "|β€[™\u00a0Ά\u00ad®°]"
            "|[ΒΓΞΟ][" BYTE_OF_WORD "][ΒΓΞΟ]"
            "|ā€",
        .utf8 = true};
    span found;
    return t->n && regex_find(&unlikely, t, 0, &found);
}
