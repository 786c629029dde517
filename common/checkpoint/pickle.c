/*
** pickle.c: the stack machine of a pickle, as far as state dicts need it (protocols 2 to 5).
**
** The one idea: REDUCE, which calls a function in Python, makes a node here. So a hostile pickle
** can do nothing but be large, and it is no larger in memory than a small multiple of its length:
** an opcode makes at most one value and one node, and their numbers are limited. Text is a view of
** the pickle. Nothing recurses; a value may hold itself, and freeing follows the list of nodes.
**
** It refuses opcodes of objects with classes (INST, OBJ, EXT; NEWOBJ but for classes that the list
** allows by their beginnings), protocol 0's text numbers, and every global name that is not listed.
**
** Opcodes: CPython's Lib/pickletools.py.
*/
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#include "../die.h"

enum { MOST_VALUES = 1 << 19, MOST_NODES = 1 << 18, ORDERED_DICT = -1, DEFAULT_DICT = -2 };

typedef struct {
    pickle_value *at;
    int64_t n, room;
} values;

typedef struct {
    pickle *result;
    const unsigned char *at, *end, *begin;
    const char *const *allowed;
    const char *where;
    values stack, memo;
    int64_t nodes, items;
} machine;

static void broken(const machine *m, const char *what) __attribute__((noreturn));
static void broken(const machine *m, const char *what)
{
    die("%s: its pickle is damaged at byte %lld: %s", m->where, (long long)(m->at - m->begin),
        what);
}

/* ---- input ---- */

static const unsigned char *take(machine *m, uint64_t n)
{
    if (n > (uint64_t)(m->end - m->at))
        broken(m, "it ends within an instruction");
    const unsigned char *p = m->at;
    m->at += n;
    return p;
}

/* Little-endian, 1 to 8 bytes. */
static uint64_t number(machine *m, int bytes)
{
    const unsigned char *p = take(m, (uint64_t)bytes);
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static int64_t sign_extended(uint64_t v, int bytes)
{
    int shift = 64 - 8 * bytes;
    return bytes == 0 ? 0 : (int64_t)(v << shift) >> shift;
}

/* ---- values ---- */

static void grow(machine *m, values *v, int64_t n)
{
    if (n > MOST_VALUES)
        broken(m, "it makes more values than a state dict needs");
    if (n <= v->room)
        return;
    int64_t room = v->room ? v->room : 256;
    while (room < n)
        room *= 2;
    pickle_value *at = realloc(v->at, (size_t)room * sizeof *at);
    if (!at)
        die("out of memory");
    memset(at + v->room, 0, (size_t)(room - v->room) * sizeof *at); /* PICKLE_UNSET */
    v->at = at;
    v->room = room;
}

static void push(machine *m, pickle_value v)
{
    grow(m, &m->stack, m->stack.n + 1);
    m->stack.at[m->stack.n++] = v;
}

static void push_kind(machine *m, pickle_kind kind, int64_t i)
{
    push(m, (pickle_value){.kind = kind, .u.i = i});
}

static void push_text(machine *m, uint64_t n)
{
    if (n > UINT32_MAX)
        broken(m, "a text of more than 4 GB");
    const char *text = (const char *)take(m, n);
    push(m, (pickle_value){.kind = PICKLE_TEXT, .n = (uint32_t)n, .u.text = text});
}

/* What is on top without a mark in between. */
static pickle_value *top(machine *m)
{
    if (m->stack.n == 0 || m->stack.at[m->stack.n - 1].kind == PICKLE_MARK)
        broken(m, "it takes a value from an empty stack");
    return m->stack.at + m->stack.n - 1;
}

static pickle_value pop(machine *m)
{
    pickle_value v = *top(m);
    m->stack.n--;
    return v;
}

/* How many values lie above the last mark. */
static int64_t above_mark(machine *m)
{
    for (int64_t i = m->stack.n; i-- > 0;)
        if (m->stack.at[i].kind == PICKLE_MARK)
            return m->stack.n - i - 1;
    broken(m, "there is no mark on its stack");
}

/* ---- nodes ---- */

static pickle_node *new_node(machine *m)
{
    if (++m->nodes > MOST_NODES)
        broken(m, "it makes more objects than a state dict needs");
    pickle_node *node = new_bytes(sizeof *node);
    node->next = m->result->nodes;
    m->result->nodes = node;
    return node;
}

static void node_add(machine *m, pickle_node *node, const pickle_value *v, int64_t n)
{
    m->items += n;
    if (m->items > MOST_VALUES)
        broken(m, "it makes more values than a state dict needs");
    if (node->n + n > node->room) {
        int64_t room = node->n ? 2 * (node->n + n) : n;
        pickle_value *item = realloc(node->item, (size_t)room * sizeof *item);
        if (!item)
            die("out of memory");
        node->item = item;
        node->room = room;
    }
    if (n)
        memcpy(node->item + node->n, v, (size_t)n * sizeof *v);
    node->n += n;
}

/* The n values on top (and `marks` marks under them) become one value of this kind. */
static void gather(machine *m, pickle_kind kind, int64_t n, int marks)
{
    if (m->stack.n < n + marks)
        broken(m, "it takes a value from an empty stack");
    pickle_value *first = m->stack.at + m->stack.n - n;
    for (int64_t i = 0; i < n; i++)
        if (first[i].kind == PICKLE_MARK)
            broken(m, "it takes a mark for a value");
    pickle_node *node = new_node(m);
    node_add(m, node, first, n);
    m->stack.n -= n + marks;
    push(m, (pickle_value){.kind = kind, .u.node = node});
}

/* The n values on top (and marks under them) go into the list or dict below; an object's items say
 * nothing about tensors. */
static void append(machine *m, pickle_kind kind, int64_t n, int marks)
{
    if (m->stack.n < n + marks + 1)
        broken(m, "it takes a value from an empty stack");
    pickle_value *first = m->stack.at + m->stack.n - n;
    bool object = first[-marks - 1].kind == PICKLE_CALL;
    if (first[-marks - 1].kind != kind && !object)
        broken(m, kind == PICKLE_DICT ? "it sets an item of something that is no dict"
                                      : "it appends to something that is no list");
    if (kind == PICKLE_DICT && n % 2)
        broken(m, "a key without a value");
    for (int64_t i = 0; i < n; i++)
        if (first[i].kind == PICKLE_MARK)
            broken(m, "it takes a mark for a value");
    if (!object)
        node_add(m, first[-marks - 1].u.node, first, n);
    m->stack.n -= n + marks;
}

/* ---- globals and calls ---- */

static void push_global(machine *m, const char *module, uint64_t n, const char *name, uint64_t k)
{
    enum { LONGEST = 200 };
    char full[2 * LONGEST + 2];
    if (n > LONGEST || k > LONGEST)
        broken(m, "a global name of more than 200 bytes");
    memcpy(full, module, n);
    full[n] = '.';
    memcpy(full + n + 1, name, k);
    full[n + 1 + k] = 0;
    if (strlen(full) != n + 1 + k) /* it must not hide what follows */
        broken(m, "a global name with a zero byte");
    bool ordered = strcmp(full, "collections.OrderedDict") == 0;
    if (ordered || strcmp(full, "collections.defaultdict") == 0) {
        push_kind(m, PICKLE_GLOBAL, ordered ? ORDERED_DICT : DEFAULT_DICT);
        return;
    }
    for (int i = 0; m->allowed[i]; i++) {
        size_t length = strlen(m->allowed[i]) - 1;
        bool begins = m->allowed[i][length] == '*' && strncmp(full, m->allowed[i], length) == 0;
        if (begins) {
            push(m, (pickle_value){.kind = PICKLE_CLASS, .n = (uint32_t)k, .u.text = name});
            return;
        }
        if (strcmp(full, m->allowed[i]) == 0) {
            push_kind(m, PICKLE_GLOBAL, i);
            return;
        }
    }
    if (strncmp(full, "torch.nn.", 9) == 0)
        die("%s: its pickle is a whole module (%s), which needs its Python code: save its "
            "state_dict()",
            m->where, full);
    die("%s: its pickle asks for %s; only tensors are read", m->where, full);
}

static const char *line(machine *m, uint64_t *n)
{
    const unsigned char *newline = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!newline)
        broken(m, "it ends within a name");
    *n = (uint64_t)(newline - m->at);
    return (const char *)take(m, *n + 1);
}

static void global(machine *m)
{
    uint64_t n, k;
    const char *module = line(m, &n), *name = line(m, &k);
    push_global(m, module, n, name, k);
}

static void stack_global(machine *m)
{
    pickle_value name = pop(m), module = pop(m);
    if (name.kind != PICKLE_TEXT || module.kind != PICKLE_TEXT)
        broken(m, "a global name that is no text");
    push_global(m, module.u.text, module.n, name.u.text, name.n);
}

/* The function on top gives a dict: an empty one, or (Python 2) of a list of pairs. */
static void make_dict(machine *m, pickle_value arguments)
{
    pickle_value list = {.kind = PICKLE_UNSET};
    bool ordered = top(m)->u.i == ORDERED_DICT;
    if (arguments.u.node->n && ordered)
        list = arguments.u.node->item[0];
    if (list.kind != PICKLE_UNSET && list.kind != PICKLE_LIST)
        broken(m, "an OrderedDict of something that is no list");
    m->stack.n--;
    gather(m, PICKLE_DICT, 0, 0);
    for (int64_t i = 0; list.kind == PICKLE_LIST && i < list.u.node->n; i++) {
        pickle_value pair = list.u.node->item[i];
        if ((pair.kind != PICKLE_LIST && pair.kind != PICKLE_TUPLE) || pair.u.node->n != 2)
            broken(m, "an OrderedDict of something that is no pairs");
        node_add(m, top(m)->u.node, pair.u.node->item, 2);
    }
}

static void reduce(machine *m)
{
    pickle_value arguments = pop(m), function = *top(m);
    if ((function.kind != PICKLE_GLOBAL && function.kind != PICKLE_CLASS) ||
        arguments.kind != PICKLE_TUPLE)
        broken(m, "it calls something that is no function");
    if (function.kind == PICKLE_GLOBAL && function.u.i < 0) {
        make_dict(m, arguments);
        return;
    }
    push(m, arguments);
    gather(m, PICKLE_CALL, 2, 0);
}

static void unknown(const machine *m, int op) __attribute__((noreturn));
static void unknown(const machine *m, int op)
{
    die("%s: its pickle has instruction 0x%02x at byte %lld, which no state dict needs", m->where,
        op, (long long)(m->at - m->begin - 1));
}

/* NEWOBJ: an object of a class, which is a call of it. */
static void new_object(machine *m)
{
    pickle_value arguments = pop(m);
    if (top(m)->kind != PICKLE_CLASS || arguments.kind != PICKLE_TUPLE)
        unknown(m, 0x81);
    push(m, arguments);
    gather(m, PICKLE_CALL, 2, 0);
}

/* Python would set the attributes of an object; a dict's (torch: _metadata) say nothing about
 * tensors. */
static void build(machine *m)
{
    pickle_value state = pop(m), *object = top(m);
    if (object->kind == PICKLE_CALL)
        node_add(m, object->u.node, &state, 1);
    else if (object->kind != PICKLE_DICT)
        broken(m, "it sets attributes of something that is no dict");
}

/* ---- the memo ---- */

static void put(machine *m, uint64_t i)
{
    if (i >= MOST_VALUES)
        broken(m, "a place in the memo that no state dict needs");
    grow(m, &m->memo, (int64_t)i + 1);
    pickle_value v = *top(m);
    if (m->memo.at[i].kind == PICKLE_UNSET)
        m->memo.n++;
    m->memo.at[i] = v;
}

static void get(machine *m, uint64_t i)
{
    if (i >= (uint64_t)m->memo.room || m->memo.at[i].kind == PICKLE_UNSET)
        broken(m, "it reads a place of the memo that was never set");
    push(m, m->memo.at[i]);
}

/* ---- the machine ---- */

static void push_float(machine *m)
{
    const unsigned char *p = take(m, 8);
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    double f;
    memcpy(&f, &v, 8);
    push(m, (pickle_value){.kind = PICKLE_FLOAT, .u.f = f});
}

/* One of more than 64 bits, a seed say, is nothing that a tensor needs. */
static void push_long(machine *m, uint64_t bytes)
{
    if (bytes > 8) {
        take(m, bytes);
        push(m, (pickle_value){.kind = PICKLE_FLOAT, .u.f = 0x1p64});
        return;
    }
    push_kind(m, PICKLE_INT, sign_extended(number(m, (int)bytes), (int)bytes));
}

/* One instruction; false after STOP. */
static bool step(machine *m)
{
    int op = *take(m, 1);
    switch (op) {
    case 0x80: /* PROTO */
        if (number(m, 1) > 5)
            broken(m, "a protocol of the future");
        break;
    case 0x95: take(m, 8); break; /* FRAME: its length is of no use to us */
    case '(': push_kind(m, PICKLE_MARK, 0); break;
    case 'N': push_kind(m, PICKLE_NONE, 0); break;
    case 0x88: push_kind(m, PICKLE_BOOL, 1); break;
    case 0x89: push_kind(m, PICKLE_BOOL, 0); break;
    case 'J': push_kind(m, PICKLE_INT, sign_extended(number(m, 4), 4)); break;
    case 'K': push_kind(m, PICKLE_INT, (int64_t)number(m, 1)); break;
    case 'M': push_kind(m, PICKLE_INT, (int64_t)number(m, 2)); break;
    case 0x8a: push_long(m, number(m, 1)); break;
    case 0x8b: push_long(m, number(m, 4)); break;
    case 'G': push_float(m); break;
    case 'X': /* BINUNICODE */
    case 'B': /* BINBYTES */
    case 'T': push_text(m, number(m, 4)); break;
    case 0x8c: /* SHORT_BINUNICODE */
    case 'C':  /* SHORT_BINBYTES */
    case 'U': push_text(m, number(m, 1)); break;
    case 0x8d: /* BINUNICODE8 */
    case 0x8e: /* BINBYTES8 */
    case 0x96: push_text(m, number(m, 8)); break;
    case ')': gather(m, PICKLE_TUPLE, 0, 0); break;
    case 0x85: gather(m, PICKLE_TUPLE, 1, 0); break;
    case 0x86: gather(m, PICKLE_TUPLE, 2, 0); break;
    case 0x87: gather(m, PICKLE_TUPLE, 3, 0); break;
    case 't': gather(m, PICKLE_TUPLE, above_mark(m), 1); break;
    case 0x8f: /* EMPTY_SET */
    case ']': gather(m, PICKLE_LIST, 0, 0); break;
    case 0x91: /* FROZENSET */
    case 'l': gather(m, PICKLE_LIST, above_mark(m), 1); break;
    case 'a': append(m, PICKLE_LIST, 1, 0); break;
    case 0x90: /* ADDITEMS */
    case 'e': append(m, PICKLE_LIST, above_mark(m), 1); break;
    case '}': gather(m, PICKLE_DICT, 0, 0); break;
    case 's': append(m, PICKLE_DICT, 2, 0); break;
    case 'u': append(m, PICKLE_DICT, above_mark(m), 1); break;
    case 'q': put(m, number(m, 1)); break;
    case 'r': put(m, number(m, 4)); break;
    case 0x94: put(m, (uint64_t)m->memo.n); break; /* MEMOIZE */
    case 'h': get(m, number(m, 1)); break;
    case 'j': get(m, number(m, 4)); break;
    case 'c': global(m); break;
    case 0x93: stack_global(m); break;
    case 'R': reduce(m); break;
    case 0x81: new_object(m); break;
    case 'b': build(m); break;
    case 'Q': gather(m, PICKLE_PERSISTENT, 1, 0); break;
    case '.': m->result->root = pop(m); return false;
    default: unknown(m, op);
    }
    return true;
}

void pickle_read(pickle *p, const void *bytes, size_t n, const char *const allowed[],
                 const char *where)
{
    *p = (pickle){0};
    machine m = {.result = p,
                 .begin = bytes,
                 .at = bytes,
                 .end = (const unsigned char *)bytes + n,
                 .allowed = allowed,
                 .where = where};
    grow(&m, &m.stack, 1); /* so that it is an array even while it is empty */
    while (step(&m))
        ;
    p->bytes = (size_t)(m.at - m.begin);
    free(m.stack.at);
    free(m.memo.at);
}

void pickle_free(pickle *p)
{
    for (pickle_node *node = p->nodes, *next; node; node = next) {
        next = node->next;
        free(node->item);
        free(node);
    }
    *p = (pickle){0};
}

/* ---- looking at the result ---- */

bool pickle_is_text(pickle_value v, const char *text)
{
    return (v.kind == PICKLE_TEXT || v.kind == PICKLE_CLASS) && v.n == strlen(text) &&
           memcmp(v.u.text, text, v.n) == 0;
}

static pickle_value item_of(pickle_value v, int64_t i)
{
    bool there = v.kind == PICKLE_CALL || v.kind == PICKLE_TUPLE;
    return there && i < v.u.node->n ? v.u.node->item[i] : (pickle_value){.kind = PICKLE_UNSET};
}

pickle_value pickle_function(pickle_value v)
{
    return v.kind == PICKLE_CALL ? item_of(v, 0) : (pickle_value){.kind = PICKLE_UNSET};
}

pickle_value pickle_argument(pickle_value v, int64_t i)
{
    return v.kind == PICKLE_CALL ? item_of(item_of(v, 1), i) : (pickle_value){.kind = PICKLE_UNSET};
}

pickle_value pickle_attributes(pickle_value v)
{
    return v.kind == PICKLE_CALL ? item_of(v, 2) : (pickle_value){.kind = PICKLE_UNSET};
}

int64_t pickle_length(pickle_value v)
{
    switch (v.kind) {
    case PICKLE_TUPLE:
    case PICKLE_LIST: return v.u.node->n;
    case PICKLE_DICT: return v.u.node->n / 2;
    default: return 0;
    }
}

pickle_value pickle_lookup(pickle_value dict, const char *key)
{
    for (int64_t i = pickle_length(dict); dict.kind == PICKLE_DICT && i-- > 0;)
        if (pickle_is_text(dict.u.node->item[2 * i], key))
            return dict.u.node->item[2 * i + 1];
    return (pickle_value){.kind = PICKLE_UNSET};
}
