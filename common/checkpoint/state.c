/*
** state.c: what in the pickle of a .pth are tensors, and where their elements lie.
**
** A model is a dict (nested.c finds which), or a TorchScript module: an object whose attributes are
** tensors and further modules. torchao's tensors are subclasses that hold others: codes, scales and
** zero points, which are taken out as X, X_scale and X_zero_point.
**
** It refuses tensors that repeat elements of their storage (stride 0 and the like), lazily
** conjugated or negated ones, other subclasses, and all globals but those below.
*/
#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "archive.h"

/* ---- the names that are known ---- */

/* The functions first, then classes of storages, then dtypes. What ends with * is never looked
 * into, but for torchao's tensors and TorchScript's modules. */
enum {
    TENSOR_V2,
    TENSOR_V3,
    PARAMETER,
    SIZE,
    TENSOR,
    FROM_TYPE,
    WRAPPER,
    DEVICE,
    LAYOUT,
    ENCODE,
    WITH_STATE
};
enum { FUNCTIONS = WITH_STATE + 1, STORAGES = 13, DTYPES = 24 };

const char *const state_names[] = {
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    "torch._utils._rebuild_tensor",
    "torch._tensor._rebuild_from_type_v2",
    "torch._utils._rebuild_wrapper_subclass",
    "torch.device",
    "torch.serialization._get_layout",
    "_codecs.encode",
    "torch._utils._rebuild_parameter_with_state",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.BFloat16Storage",
    "torch.LongStorage",
    "torch.IntStorage",
    "torch.ShortStorage",
    "torch.CharStorage",
    "torch.ByteStorage",
    "torch.BoolStorage",
    "torch.ComplexFloatStorage",
    "torch.storage.UntypedStorage",
    "torch.UntypedStorage",
    "torch.uint16",
    "torch.uint32",
    "torch.uint64",
    "torch.float8_e4m3fn",
    "torch.float8_e5m2",
    "torch.float8_e4m3fnuz",
    "torch.float8_e5m2fnuz",
    "torch.float8_e8m0fnu",
    "torch.float4_e2m1fn_x2",
    "torch.float64",
    "torch.float32",
    "torch.float16",
    "torch.bfloat16",
    "torch.int64",
    "torch.int32",
    "torch.int16",
    "torch.int8",
    "torch.uint8",
    "torch.bool",
    "torch.complex64",
    "torch.double",
    "torch.float",
    "torch.half",
    "torch.long",
    "__torch__.*",
    "torch.jit._pickle.*",
    "torchao.*",
    /* What else is harmless beside a model. */
    "numpy.core.multiarray.*",
    "numpy._core.multiarray.*",
    "numpy.core.numeric.*",
    "numpy._core.numeric.*",
    "numpy.dtype*",
    "numpy.ndarray",
    "numpy.ma.core.*",
    "numpy.random.*",
    "numpy.float*",
    "numpy.int8",
    "numpy.int16",
    "numpy.int32",
    "numpy.int64",
    "numpy.uint8",
    "numpy.uint16",
    "numpy.uint32",
    "numpy.uint64",
    "numpy.bool",
    "numpy.bool_",
    "numpy.str_",
    "numpy.bytes_",
    "argparse.Namespace*",
    "types.SimpleNamespace*",
    "pathlib.P*",
    "collections.Counter*",
    "collections.deque*",
    "datetime.date*",
    "datetime.time*",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
    "builtins.set",
    "builtins.frozenset",
    "builtins.complex",
    "builtins.bytearray",
    "builtins.slice",
    "builtins.range",
    "builtins.xrange",
    "builtins.int",
    "builtins.long",
    "builtins.float",
    "builtins.bool",
    "builtins.str",
    "builtins.unicode",
    "builtins.dict",
    "builtins.list",
    "builtins.tuple",
    "builtins.object",
    "builtins.Ellipsis",
    "__builtin__.set",
    "__builtin__.frozenset",
    "__builtin__.complex",
    "__builtin__.bytearray",
    "__builtin__.slice",
    "__builtin__.range",
    "__builtin__.xrange",
    "__builtin__.int",
    "__builtin__.long",
    "__builtin__.float",
    "__builtin__.bool",
    "__builtin__.str",
    "__builtin__.unicode",
    "__builtin__.dict",
    "__builtin__.list",
    "__builtin__.tuple",
    "__builtin__.object",
    "__builtin__.Ellipsis",
    NULL,
};
static const int storage_types[STORAGES] = {F64, F32, F16,  BF16, I64,     I32,    I16,
                                            I8,  U8,  BOOL, C64,  UNTYPED, UNTYPED};
static const tensor_type dtypes[DTYPES] = {
    U16,  U32, U64, F8_E4M3, F8_E5M2, F8_E4M3FNUZ, F8_E5M2FNUZ, F8_E8M0, F4,  F64, F32, F16,
    BF16, I64, I32, I16,     I8,      U8,          BOOL,        C64,     F64, F32, F16, I64};

static bool is_global(pickle_value v, int64_t i) { return v.kind == PICKLE_GLOBAL && v.u.i == i; }

/* _rebuild_from_type_v2(function, torch.Tensor or Parameter, arguments, attributes): a tensor that
 * somebody has set attributes of, which say nothing of its values. */
static bool has_attributes(pickle_value v)
{
    return is_global(pickle_function(v), FROM_TYPE) &&
           pickle_argument(v, 1).kind == PICKLE_GLOBAL &&
           pickle_argument(v, 2).kind == PICKLE_TUPLE;
}

static bool is_call(pickle_value v, int function)
{
    return is_global(has_attributes(v) ? pickle_argument(v, 0) : pickle_function(v), function);
}

static pickle_value argument(pickle_value v, int64_t i)
{
    if (!has_attributes(v))
        return pickle_argument(v, i);
    pickle_value all = pickle_argument(v, 2);
    return i < pickle_length(all) ? all.u.node->item[i] : (pickle_value){.kind = PICKLE_UNSET};
}

static bool is_parameter(pickle_value v) { return is_call(v, PARAMETER) || is_call(v, WITH_STATE); }

int state_storage_type(pickle_value class)
{
    int64_t i = class.kind == PICKLE_GLOBAL ? class.u.i - FUNCTIONS : -1;
    return i < 0 || i >= STORAGES ? -1 : storage_types[i];
}

/* ---- one tensor ---- */

static void bad(const pth *p, const pth_item *t, const char *what) __attribute__((noreturn));
static void bad(const pth *p, const pth_item *t, const char *what)
{
    die("%s: %s: %s", p->where, t->name, what);
}

/* ("storage", class, key, location, elements[, view]) sets t->storage; gives its type and bytes. */
static int read_storage(pth *p, pth_item *t, pickle_value v, uint64_t *bytes)
{
    bool named = v.kind == PICKLE_PERSISTENT && v.u.node->item[0].kind == PICKLE_TUPLE;
    int64_t length = named ? pickle_length(v.u.node->item[0]) : 0;
    if (length != 5 && !(p->legacy && length == 6))
        bad(p, t, "its storage is not named as torch.save does");
    const pickle_value *id = v.u.node->item[0].u.node->item;
    int type = state_storage_type(id[1]);
    if (!pickle_is_text(id[0], "storage") || type < 0 || id[2].kind != PICKLE_TEXT ||
        id[2].n > 1000 || id[4].kind != PICKLE_INT || id[4].u.i < 0)
        bad(p, t, "its storage is not named as torch.save does");
    if (length == 6 && id[5].kind != PICKLE_NONE)
        bad(p, t, "its storage is a view of another, as PyTorch before 0.4 wrote: save it anew");
    t->storage = pth_storage(p, t->name, id[2], bytes);
    uint64_t size = type == UNTYPED ? 1 : type_size((tensor_type)type);
    if (*bytes / size != (uint64_t)id[4].u.i || *bytes % size)
        die("%s: %s: its storage %s%s%.*s has %llu bytes, not %lld elements of %llu", p->where,
            t->name, p->prefix ? p->prefix : "", p->prefix ? "data/" : "", (int)id[2].n,
            id[2].u.text, (unsigned long long)*bytes, (long long)id[4].u.i,
            (unsigned long long)size);
    return type;
}

static void read_numbers(const pth *p, const pth_item *t, pickle_value v, int rank, int64_t *to)
{
    if (is_call(v, SIZE))
        v = argument(v, 0);
    if (v.kind != PICKLE_TUPLE || pickle_length(v) != rank)
        bad(p, t, "its sizes and strides are not two tuples of one length");
    for (int i = 0; i < rank; i++) {
        pickle_value n = v.u.node->item[i];
        if (n.kind != PICKLE_INT || n.u.i < 0)
            bad(p, t, "a size or stride is not a natural number");
        to[i] = n.u.i;
    }
}

/* Every element lies in the storage, and there are no more of them than the storage has. */
static void check_extent(const pth *p, pth_item *t, int64_t offset, uint64_t stored)
{
    uint64_t count = 1, last = 0, expected = 1;
    t->contiguous = true;
    if (tensor_count(t->shape) == 0)
        return;
    for (int i = t->shape.rank; i-- > 0;) {
        uint64_t n = (uint64_t)t->shape.dim[i], step;
        if (__builtin_mul_overflow(count, n, &count) || count > stored)
            die("%s: %s is %s, more than the %llu elements of its storage", p->where, t->name,
                shape_text(t->shape.rank, t->shape.dim), (unsigned long long)stored);
        if (__builtin_mul_overflow(n - 1, (uint64_t)t->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            bad(p, t, "its strides lead outside its storage");
        t->contiguous &= n == 1 || (uint64_t)t->stride[i] == expected;
        expected *= n;
    }
    if (last >= stored || (uint64_t)offset >= stored - last)
        die("%s: %s: elements %lld to %llu are outside its storage of %llu", p->where, t->name,
            (long long)offset, (unsigned long long)last + (unsigned long long)offset,
            (unsigned long long)stored);
}

static tensor_type dtype_of(const pth *p, const pth_item *t, pickle_value v)
{
    int64_t i = v.kind == PICKLE_GLOBAL ? v.u.i - FUNCTIONS - STORAGES : -1;
    if (i < 0 || i >= DTYPES)
        bad(p, t, "its dtype is not named as torch.save does");
    return dtypes[i];
}

static bool is_plain(pickle_value v)
{
    return is_call(v, TENSOR_V2) || is_call(v, TENSOR_V3) || is_call(v, TENSOR);
}

static void read_tensor(pth *p, pth_item *t, pickle_value v)
{
    if (is_parameter(v))
        v = argument(v, 0);
    bool v3 = is_call(v, TENSOR_V3);
    if (!is_plain(v))
        bad(p, t, "a parameter that holds no tensor");
    pickle_value offset = argument(v, 1), sizes = argument(v, 2);
    if (pickle_length(argument(v, v3 ? 7 : 6)))
        bad(p, t, "it is lazily conjugated or negated: save it resolved");
    uint64_t bytes;
    int type = read_storage(p, t, argument(v, 0), &bytes);
    if (v3 && type != UNTYPED)
        bad(p, t, "its dtype is not named as torch.save does");
    if (v3)
        type = (int)dtype_of(p, t, argument(v, 6));
    if (type == UNTYPED)
        bad(p, t, "its storage has no type");
    if (is_call(sizes, SIZE))
        sizes = argument(sizes, 0);
    if (pickle_length(sizes) > TENSOR_MAX_RANK)
        die("%s: %s has %lld dimensions; at most %d are read", p->where, t->name,
            (long long)pickle_length(sizes), TENSOR_MAX_RANK);
    int64_t dim[TENSOR_MAX_RANK];
    int rank = (int)pickle_length(sizes);
    read_numbers(p, t, sizes, rank, dim);
    read_numbers(p, t, argument(v, 3), rank, t->stride);
    const char *wrong = shape_wrong(rank, dim);
    if (wrong)
        die("%s: %s is %s: %s", p->where, t->name, shape_text(rank, dim), wrong);
    if (type == F4) /* torch counts the bytes, two of which make one element here */
        type = U8;
    t->shape = tensor_make(NULL, (tensor_type)type, rank, dim);
    if (offset.kind != PICKLE_INT || offset.u.i < 0)
        bad(p, t, "its offset is not a natural number");
    uint64_t size = type_size((tensor_type)type);
    check_extent(p, t, offset.u.i, bytes / size);
    t->offset = tensor_count(t->shape) ? (uint64_t)offset.u.i * size : 0;
}

/* ---- tensors of a dict, and what is like them ---- */

/* _rebuild_from_type_v2(_rebuild_wrapper_subclass, class, arguments, attributes) */
static bool is_subclass(pickle_value v)
{
    return is_call(v, FROM_TYPE) && is_global(argument(v, 0), WRAPPER) &&
           argument(v, 1).kind == PICKLE_CLASS;
}

bool state_is_tensor(pickle_value v) { return is_plain(v) || is_parameter(v) || is_subclass(v); }

bool state_is_matrix(pickle_value v)
{
    if (is_parameter(v))
        v = argument(v, 0);
    pickle_value sizes = argument(v, 2);
    if (is_call(sizes, SIZE))
        sizes = argument(sizes, 0);
    return is_subclass(v) || pickle_length(sizes) > 1;
}

static void add_tensor(pth *p, const char *prefix, pickle_value key, const char *suffix,
                       pickle_value v)
{
    if (key.kind != PICKLE_TEXT || key.n == 0 || key.n > 4096 || memchr(key.u.text, 0, key.n))
        die("%s: a name in its state dict is no text", p->where);
    if (p->items == p->room) {
        p->room = p->room ? 2 * p->room : 256;
        p->item = realloc(p->item, (size_t)p->room * sizeof *p->item);
        if (!p->item)
            die("out of memory");
    }
    pth_item *t = p->item + p->items++;
    *t = (pth_item){.name = new_format("%s%.*s%s", prefix, (int)key.n, key.u.text, suffix)};
    read_tensor(p, t, v);
}

/* What the tensor that a subclass holds as `attribute` is called, behind the subclass's own name:
 * stored.c refuses what it does not know. Static memory. */
static const char *suffix_of(pickle_value attribute)
{
    static char other[128];
    static const struct {
        const char *attribute, *suffix;
    } parts[] = {{"qdata", ""},
                 {"int_data", ""},
                 {"float8_data", ""},
                 {"scale", "_scale"},
                 {"zero_point", "_zero_point"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (pickle_is_text(attribute, parts[i].attribute))
            return parts[i].suffix;
    bool text = attribute.kind == PICKLE_TEXT && !memchr(attribute.u.text, 0, attribute.n);
    snprintf(other, sizeof other, "_%.*s", text && attribute.n < 100 ? (int)attribute.n : 1,
             text ? attribute.u.text : "?");
    return other;
}

static void add_subclass(pth *p, const char *prefix, pickle_value key, pickle_value v, int deep)
{
    static const char *const known[] = {"Int8Tensor", "Float8Tensor", "AffineQuantizedTensor",
                                        "PlainAQTTensorImpl", "Float8AQTTensorImpl"};
    pickle_value class = argument(v, 1), state = argument(v, 3);
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        is_known |= pickle_is_text(class, known[i]);
    if (!is_known || state.kind != PICKLE_DICT || deep > 2)
        die("%s: %.*s is torchao's %.*s: of its tensors only Int8Tensor, Float8Tensor and "
            "AffineQuantizedTensor are read",
            p->where, key.kind == PICKLE_TEXT && key.n < 200 ? (int)key.n : 0, key.u.text,
            class.n < 200 ? (int)class.n : 0, class.u.text);
    pickle_value inner = pickle_lookup(state, "tensor_impl");
    if (is_subclass(inner))
        add_subclass(p, prefix, key, inner, deep + 1);
    for (int64_t i = 0; i < pickle_length(state); i++) {
        pickle_value part = state.u.node->item[2 * i + 1];
        if (is_plain(part) || is_parameter(part))
            add_tensor(p, prefix, key, suffix_of(state.u.node->item[2 * i]), part);
    }
    if (pickle_lookup(state, "act_quant_kwargs").kind == PICKLE_CALL)
        p->narrow_activations = true;
}

static void add_any(pth *p, const char *prefix, pickle_value key, pickle_value v)
{
    if (is_parameter(v) && is_subclass(argument(v, 0)))
        v = argument(v, 0);
    if (is_subclass(v))
        add_subclass(p, prefix, key, v, 0);
    else
        add_tensor(p, prefix, key, "", v);
}

/* A module of TorchScript is an object whose attributes are what it holds. */
static void add_module(pth *p, const char *prefix, pickle_value module, int deep, int *visited)
{
    enum { MOST_DEEP = 16, MOST_VISITED = 1 << 16 };
    pickle_value all = pickle_attributes(module);
    if (deep == MOST_DEEP || ++*visited > MOST_VISITED)
        die("%s: it has more modules, one in the other, than a model needs", p->where);
    for (int64_t i = 0; all.kind == PICKLE_DICT && i < pickle_length(all); i++) {
        pickle_value key = all.u.node->item[2 * i], value = all.u.node->item[2 * i + 1];
        if (state_is_tensor(value)) {
            add_any(p, prefix, key, value);
        } else if (pickle_attributes(value).kind == PICKLE_DICT && key.kind == PICKLE_TEXT &&
                   key.n < 200) {
            char *inner = new_format("%s%.*s.", prefix, (int)key.n, key.u.text);
            add_module(p, inner, value, deep + 1, visited);
            free(inner);
        }
    }
}

void state_read(pth *p, pickle_value root, const char *key)
{
    int visited = 0;
    if (pickle_attributes(root).kind == PICKLE_DICT && !key) {
        add_module(p, "", root, 0, &visited);
        if (!p->items)
            die("%s: its pickle holds no tensors", p->where);
        return;
    }
    pickle_value state = nested_find(p->where, root, key);
    for (int64_t i = 0; i < pickle_length(state); i++)
        if (state_is_tensor(state.u.node->item[2 * i + 1]))
            add_any(p, "", state.u.node->item[2 * i], state.u.node->item[2 * i + 1]);
}
