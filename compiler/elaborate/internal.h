// What the files of this room share: compile-time values, scopes, call frames, the graph being built.
// Elaboration is an abstract interpreter of the tree. A wrong expression is reported once and gives a poison value,
// which silences everything that follows from it, so that the rest of the file is still checked.
#pragma once
#include "base/names.h"
#include "elaborate/elaborate.h"

typedef struct Elab Elab;
typedef struct Value Value;
typedef struct Frame Frame;
typedef struct Builder Builder;
typedef struct Builtin Builtin;

// ---- limits: generous for people, small enough that no input takes the compiler down
enum {
  MAX_DEPTH = 1200,     // nested expressions and calls together
  MAX_CALLS = 100,      // nested layer calls
  MAX_ROUNDS = 1000000, // of compile-time loops, in all
  MAX_ITEMS = 1 << 22,  // of one list
  MAX_NODES = 1 << 22,  // of one graph
  MAX_NESTING = 64,     // of lists in lists
  MAX_TEXT = 1 << 20,   // bytes of a string
  MAX_BUILTIN_ARGS = 8
};
#define MAX_ELEMENTS ((int64_t)1 << 40) // of one tensor

// ---- files and their names
typedef enum GlobalState { GLOBAL_FRESH, GLOBAL_BUSY, GLOBAL_DONE } GlobalState;

typedef struct Module {
  const File *file;
  const char *path; // canonical, to know it again
  VEC(struct Global *) globals;
  NameTable names; // indices of the globals
  VEC(struct Module *) imports;
  bool loading;
  bool broken; // an import could not be read: names may be missing
} Module;

// A declaration that a name can mean: const, layer, model, data.
typedef struct Global {
  const Decl *decl;
  Module *module;
  GlobalState state;
  Value *value;         // CONST, LAYER: once it is known
  const Expr *override; // CONST: from --set
  NnrtData *data;       // DATA
  struct DataCalls *calls;
  struct DataFacts *facts;
  struct ModelSize *size; // MODEL, DONE: NULL if it has an error
} Global;

// ---- values
typedef enum ValueKind {
  V_POISON, // the result of an error
  V_NONE,
  V_INT,
  V_FLOAT,
  V_BOOL,
  V_STR,
  V_DIM,  // a multiple of the batch count, known at run time only
  V_TYPE, // an element type
  V_LIST,
  V_TUPLE,
  V_RANGE, // a list of whole numbers that is not written out
  V_TENSOR,
  V_LAYER, // a layer or builtin function, perhaps with some arguments bound
  V_MODEL, // a model, or a part of one
  V_DATA
} ValueKind;

typedef struct CallArg {
  const char *name; // NULL: positional
  Span name_span;
  Value *value;
  Span span;
} CallArg;
typedef VEC(CallArg) CallArgs;

// Bound positional arguments stand after the first `skip` positional ones of the call.
typedef struct Callable {
  Global *layer; // or
  const Builtin *builtin;
  CallArgs bound;
  int skip;
} Callable;

struct Value {
  ValueKind kind;
  bool weak; // TENSOR: takes the element type of what it meets, as a literal does
  union {
    int64_t integer;  // INT, BOOL, DIM (a Dim), TYPE (an ElemType)
    double real;      // FLOAT
    const char *text; // STR
    struct {
      int count, depth; // depth: of lists in lists
      Value **items;
    } list; // LIST, TUPLE
    struct {
      int64_t start, step, count;
    } range;
    Node *node; // TENSOR
    const Callable *callable;
    struct {
      Global *global;
      const char *path; // classifier, classifier.dense_0
    } model;
    Global *data;
  } as;
};

// Small records of builders and frames.
typedef struct NameCount {
  const char *name;
  int count;
} NameCount;

typedef struct StatementMark {
  int first; // node
  Span span;
} StatementMark;

typedef struct MinimizeMark {
  const Stmt *stmt;
  const char *prefix; // of its optimizer slots
  int runs;
} MinimizeMark;

typedef struct DeclaredSlot {
  const char *name;
  const Stmt *stmt;
  int count;
} DeclaredSlot;

// ---- names in bodies
typedef struct Binding {
  const char *name;
  Value *value; // or
  Slot *slot;   // a parameter or state: reading it gives its value at that moment
} Binding;

typedef struct Scope {
  struct Scope *parent; // NULL: the outermost of its body
  VEC(Binding) bindings;
} Scope;

// A body being run: of a layer, a model, a step, a test.
struct Frame {
  Frame *caller;
  Module *module;
  const Decl *decl; // LAYER or MODEL; NULL for steps, tests, constants
  Span call;        // where it was called
  const char *path; // classifier.dense_0; "" at top level
  Scope *scope;
  Value *returned;
  bool is_optimizer;
  bool is_metric; // its states count along a part of the data
  bool has_dots;
  int dot_count; // what `...` stands for
  Dim dots[MAX_RANK];
  VEC(NameCount) counters; // of layer calls, by name
  VEC(DeclaredSlot) slots;
  VEC(const char *) names; // given by `name:`
  bool broken;             // a statement could not be read: names may be missing
};

// ---- graphs being built
typedef enum BuilderKind { BUILD_TRAIN, BUILD_EVAL, BUILD_PREDICT, BUILD_INIT, BUILD_TEST, BUILD_CHECK } BuilderKind;

typedef struct SlotTable {
  VEC(Slot *) slots;
  NameTable names; // indices of the slots
  Builder *init;   // where initial values are computed
} SlotTable;

typedef struct SlotValue {
  Node *current; // NULL: not read yet
  bool changed;
  Span changed_at;
  VEC(Node *) stale; // values before updates
} SlotValue;

typedef enum FactKind {
  FACT_SOFTMAX, // node is softmax of other
  FACT_SIGMOID,
  FACT_RESULT, // node is the result of a model
  FACT_HIGHER, // a metric of which more is better
  FACT_CLASSES // node holds class numbers, or tokens, below `count`
} FactKind;

typedef struct Fact {
  FactKind kind;
  const Node *node;
  Node *other;
  Global *model;
  int64_t count;
} Fact;

struct Builder {
  BuilderKind kind;
  Graph *graph;
  bool training;
  SlotTable *table;
  VEC(SlotValue) values; // by slot index
  VEC(Fact) facts;
  NameTable draws;               // random draws by call path
  VEC(StatementMark) statements; // of the outermost body, with the first node of each
  VEC(MinimizeMark) minimized;
  Node *clocks[5];
  bool has_step; // `step` is the number below, not the clock: in tests
  int64_t step;
  bool has_loss;
  VEC(Global *) models; // called, in order
  VEC(bool) higher;     // for each output
  bool full;            // too many nodes: said once
  struct TrainSetup *train;
  int phase;  // TRAIN: how many of its block's `unfreeze` are past
  int thawed; // while an optimizer runs: the phase since which it trains this slot, and counts its steps; 0: all along
};

// What training learns about a model, for its predict block.
typedef struct ModelUse {
  Global *model;
  NnrtTask task;
  int64_t batch;
  const NnrtData *data;
} ModelUse;

enum { COMMON_INTS = 1024 };

// An initialiser with nothing bound, and the type of a slot that it gave the initial value of.
typedef struct Tried {
  const Global *layer; // or
  const Builtin *builtin;
  Type type;
} Tried;

// Of one sample through a model alone.
typedef struct SlotSize {
  const char *name;
  SlotKind kind;
  int64_t count;
} SlotSize;

typedef struct ModelSize {
  VEC(SlotSize) slots;
  int64_t multiply_adds;
} ModelSize;

struct Elab {
  Arena *arena; // what is learnt once for the whole program is made in the program's
  Arena *spare; // for the next model that is only measured; NULL: in use, or none yet
  Diag *diag;
  const ElaborateOptions *options;
  Program *program;
  Module *prelude, *main;
  VEC(Module *) modules;
  SlotTable table; // the program's
  Builder *builder;
  Frame *frame;
  int depth, calls;
  int64_t rounds;
  Slot *init_slot; // whose initial value is being computed
  int init_draws;
  VEC(ModelUse) uses;
  VEC(Global *) mains;       // for each train block the model that `predict` means
  VEC(NameCount) optimizers; // minimize statements by optimizer
  struct ScanBody *scan;     // the innermost that is being run
  bool too_deep;
  bool misread;    // the file had errors before anything was elaborated
  TestBlock *test; // being built
  VEC(Tried) tried;
  struct {
    Value *poison, *none, *nothing, *truth[2], *elem[ELEM_COUNT], *integer[COMMON_INTS];
  } common; // made when they are first needed
  struct {
    NameTable names; // indices of the values
    VEC(Value *) values;
  } builtins;
};

// ---- errors (errors.c)
// At `span`, or, if that lies in the prelude, at the call in the user's file that led there; with the chain of calls.
void elab_error(Elab *e, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
Value *elab_fail(Elab *e, Span span, const char *format, ...) __attribute__((format(printf, 3, 4))); // gives poison
Span elab_user_span(const Elab *e, Span span);
bool elab_in_prelude(const Elab *e, Span span);
void elab_suggest(Elab *e, const char *name, const char *const *candidates, int count);
void elab_not_built(Elab *e, Span span, const char *what);
// After an error about a value that should be a layer: "relu" is the string of one.
void elab_hint_quotes(Elab *e, const Value *v);

// ---- values (values.c)
Value *value_poison(Elab *e);
Value *value_none(Elab *e);    // the word `none`
Value *value_nothing(Elab *e); // of a body that has no value: none that nobody meant
Value *value_int(Elab *e, int64_t integer);
Value *value_float(Elab *e, double real);
Value *value_bool(Elab *e, bool truth);
Value *value_str(Elab *e, const char *text);
Value *value_dim(Elab *e, Dim dim); // INT or DIM
Value *value_type(Elab *e, ElemType elem);
bool value_elem(const Value *value, ElemType *elem); // an element type; `bool` is one as well as a conversion
Value *value_tensor(Elab *e, Node *node);
Value *value_weak(Elab *e, Node *node);
Value *value_list(Elab *e, ValueKind kind, int count, Value *const *items);
Value *value_range(Elab *e, int64_t start, int64_t step, int64_t count);
Value *value_callable(Elab *e, const Callable *callable); // copied
Value *value_builtin(Elab *e, const char *name);          // NULL: there is none
Value *value_layer(Elab *e, Global *layer);
Value *value_data(Elab *e, Global *data);
Value *value_model(Elab *e, Global *model, const char *path);
static inline bool value_is_number(const Value *v) {
  return v->kind == V_INT || v->kind == V_FLOAT;
}
static inline bool value_is_list(const Value *v) {
  return v->kind == V_LIST || v->kind == V_RANGE;
}
static inline double value_real(const Value *v) {
  return v->kind == V_FLOAT ? v->as.real : (double)v->as.integer;
}
int64_t value_count(const Value *v); // of a list, tuple or range
Value *value_item(Elab *e, const Value *v, int64_t index);
bool value_equal(Elab *e, const Value *a, const Value *b);
const char *value_kind(Elab *e, const Value *v); // "an int", "a tensor f32[2]", for messages
const char *value_text(Elab *e, const Value *v); // "4", "[2, 10]", "f32[2]"

// ---- tensors (tensor.c)
// One node, after its shape rule was asked. NULL after an error.
Node *tensor_op(Elab *e, Span span, Op op, int count, Node *const *inputs, const Attr *attr, const Type *wanted);
Node *tensor_unary(Elab *e, Span span, Op op, Node *x);
Node *tensor_binary(Elab *e, Span span, Op op, Node *a, Node *b); // broadcasts
void tensor_stamp(Elab *e, Span span);                            // where the next nodes come from
Node *tensor_scalar(Elab *e, Span span, ElemType elem, double value);
Node *tensor_clock(Elab *e, Span span, int index);
// A value as a tensor: literals and lists become constants, of `*wanted` if given. NULL after an error.
Node *tensor_of(Elab *e, Span span, const Value *v, const ElemType *wanted);
Node *tensor_cast(Elab *e, Span span, Node *x, ElemType elem);
bool tensor_fits(Elab *e, Span span, const Type *type); // sizes in range
bool tensor_here(Elab *e, const Node *node);            // belongs to the graph being built
// Operands brought to one element type; false after an error. *weak: none of them insisted on a type.
bool tensor_unify(Elab *e, Span span, int count, Value *const *values, Node **out, bool *weak);

// ---- expressions (expr.c, binary.c, index.c)
Value *eval_expr(Elab *e, const Expr *expr);
Value *eval_any(Elab *e, const Expr *expr); // may have no value
Value *eval_if(Elab *e, const Expr *expr, bool want_value);
Value *eval_name(Elab *e, Name name);
Value *eval_name_as(Elab *e, Name name, const char *what); // "unknown layer `reluu`"
// In a place where a layer is wanted: a call binds arguments, after `skip` that come later.
Value *eval_partial(Elab *e, const Expr *expr, int skip);
Value *eval_binary(Elab *e, ExprOp op, Value *a, Value *b, Span span, Span left, Span right);
Value *eval_unary(Elab *e, ExprOp op, Value *a, Span span);
Value *eval_index(Elab *e, const Expr *expr);
Value *eval_power(Elab *e, Value *base, Value *exponent, Span span);
bool eval_int(Elab *e, const Expr *expr, const char *what, int64_t *out);
bool value_as_int(Elab *e, Span span, const Value *v, const char *what, int64_t *out);
bool value_as_shape(Elab *e, Span span, const Value *v, Type *type); // fills rank and dimensions
bool value_as_axis(Elab *e, Span span, const Value *v, int rank, int *axis);

// ---- recurrence (scan.c)
// The value of a scan: what it yields, or, if it yields nothing, what it carries at last. `all`: both, as a tuple.
Value *eval_scan(Elab *e, const Expr *expr, bool all);
void scan_yield(Elab *e, const Stmt *stmt);
// Says that `what` cannot stand in a scan, if it does.
bool scan_forbids(Elab *e, Span span, const char *what);

// ---- names (scope.c)
Scope *scope_push(Elab *e);
void scope_pop(Elab *e);
Binding *scope_find(const Frame *frame, const char *name);
void scope_bind(Elab *e, const char *name, Value *value); // in the innermost scope
void scope_bind_slot(Elab *e, const char *name, Slot *slot);
void scope_assign(Elab *e, const char *name, Value *value); // where it is bound already, else innermost
Global *scope_own(const Module *module, const char *name);  // declared in that file; NULL: none
Global *scope_global(const Module *module, const Elab *e, const char *name);
void scope_suggest(Elab *e, const char *name, bool callables_only);
Frame *frame_push(Elab *e, Module *module, const Decl *decl, Span call, const char *path);
void frame_pop(Elab *e);

// ---- bodies (block.c)
Value *run_block(Elab *e, const Block *block, bool want_value);
// The value of a body, `return` included; NONE if it has none.
Value *run_body(Elab *e, const Block *block);

// ---- calls (call.c)
Value *eval_call(Elab *e, const Expr *expr, Value *piped, Span piped_span);
Value *call_value(Elab *e, Value *callee, const CallArgs *args, Span span);
// With a path of its own instead of a counted one, for optimizers.
Value *call_optimizer(Elab *e, Value *callee, const CallArgs *args, Span span, const char *path);
void call_arg(Elab *e, CallArgs *args, Value *value, Span span);
const char *callable_name(const Value *v);
Value *value_bound(Elab *e, Value *base, const CallArgs *args, int skip);
bool call_match(Elab *e, const Decl *decl, const CallArgs *args, CallArg *given); // one of `given` for each formal
bool call_enter(Elab *e, const Decl *decl, Span span);                            // not recursive, not too deep
bool call_bind(Elab *e, const Decl *decl, CallArg *given, Span span, bool of_model);

// ---- softmax in front of a loss, metrics, tasks (fold.c)
bool fold_before(Elab *e, Global *layer, CallArg *given, Span span);
void fold_after(Elab *e, Global *layer, const CallArg *given, Value *result);

// ---- models (model.c)
Value *model_call(Elab *e, Value *callee, const CallArgs *args, Span span);
bool model_ensure(Elab *e, Global *model, Span span); // its parameters exist in the table
Value *model_field(Elab *e, Value *model, Name field, Span span);
Slot *model_slot(Elab *e, const Expr *target); // of m.w, for `:=`; NULL after an error
bool model_input_type(Elab *e, Global *model, const Formal *formal, Type *type); // without the batch
// One call of it on inputs of the batch, with outputs y or y0, y1, …; without them after an error.
Graph *model_alone(Elab *e, const ModelUse *use, SlotTable *table, BuilderKind kind);
PredictBlock *model_predict(Elab *e, const ModelUse *use); // NULL: it has no inputs or outputs
// What is known of it by itself. NULL if there is an error in it. (model_size.c)
const ModelSize *model_size(Elab *e, Global *model);
bool path_within(const char *slot, const char *path);

// ---- types (types.c)
bool type_eval(Elab *e, const TypeExpr *type, Type *out); // every dimension known
const char *type_expr_text(Elab *e, const TypeExpr *type);
// The argument of a formal, converted; binds names of dimensions in the frame. NULL after an error.
Value *type_match(Elab *e, const Formal *formal, Value *value, Span span, bool of_model, const char *callee);
void type_bind_variable(Elab *e, const TypeExpr *type, const Value *value);
Value *type_result(Elab *e, const TypeExpr *type, Value *value, Span span, bool of_model, const char *callee);

// ---- parameters and state (slot.c)
void slot_declare(Elab *e, const Stmt *stmt);
void slot_assign(Elab *e, const Stmt *stmt);
Node *slot_read(Elab *e, Span span, Slot *slot);
void slot_write(Elab *e, Span span, Slot *slot, Node *value);
Slot *slot_find(const SlotTable *table, const char *name);
void slot_add(Elab *e, SlotTable *table, Slot *slot);
SlotValue *slot_value(Elab *e, const Slot *slot);
Slot *slot_counter(Elab *e, int phase); // steps since a phase began
void slot_count(Elab *e);               // one more, where they are read
int64_t slot_stream(Elab *e);           // of the next random draw

// ---- builtin functions (builtins.c and its families)
typedef struct BuiltinCall {
  const Builtin *builtin;
  Span span;
  Value *args[MAX_BUILTIN_ARGS]; // NULL or none: left out
  Span spans[MAX_BUILTIN_ARGS];
} BuiltinCall;

struct Builtin {
  const char *name;
  const char *formals; // "x axis? keep?": a question mark after those that may be left out
  Value *(*call)(Elab *e, const BuiltinCall *call);
  int op;
};
const Builtin *builtin_list(int family, int *count); // families from 0, NULL after the last
bool builtin_later(const char *name);                // known, but not built yet
// The bool of an argument, false where it is left out. False after an error.
bool builtin_flag(Elab *e, const BuiltinCall *call, int at, const char *name, bool *out);
extern const Builtin builtins_math[], builtins_shape[], builtins_value[], builtins_window[], builtins_attention[];
extern const int builtins_math_count, builtins_shape_count, builtins_value_count, builtins_window_count;
extern const int builtins_attention_count;
Value *builtin_random(Elab *e, Span span, Type type);
Value *tensor_close(Elab *e, Span span, Value *a, Value *b, const Value *tolerance);
Node *tensor_all(Elab *e, Span span, Node *x);

typedef struct Reduce {
  Op op;
  bool mean, keep;
  bool first; // of equal extremes the first has the gradient
} Reduce;
Value *reduce_value(Elab *e, Span span, Reduce how, Node *x, int axis_count, const int *axes);

// ---- builders, and facts about nodes (fold.c)
Builder *builder_new(Elab *e, BuilderKind kind, const char *name, int64_t batch, SlotTable *table);
void builder_finish(Elab *e, Builder *builder); // updates of changed slots
void fact_add(Elab *e, FactKind kind, const Node *node, Node *other, Global *model, int64_t count);
const Fact *fact_find(const Builder *builder, FactKind kind, const Node *node);
// Of the node whose numbers these are, but for their places, their type, limits, and some that are zero.
const Fact *fact_behind(const Builder *builder, FactKind kind, const Node *node);
ModelUse *model_use(Elab *e, Global *model);

// ---- training (freeze.c, load.c, save.c, minimize.c, train.c, step.c, data.c, test.c)
// A parameter's name, a part of a model, or either with `*` for any characters.
typedef struct Pattern {
  const char *text;
  Span span;
} Pattern;
typedef VEC(Pattern) Patterns;

// unfreeze: after(epochs, patterns)
typedef struct Thaw {
  int64_t epochs;
  Patterns patterns; // none: everything
  Span span;
} Thaw;

typedef struct TrainSetup {
  const Decl *decl;
  Module *module;
  const char *name;
  Global *model, *data;
  Span model_span;
  const Expr *loss, *optimizer, *metrics;
  Patterns frozen;
  VEC(Thaw) thaws; // by epochs
  VEC(NnrtWeights) loads;
  Patterns loaded; // what `load` fills, where it says so
  bool has_clip;
  double clip_norm;
  const Expr *save_value, *patience_value; // that must be reported
  int64_t memory;                          // bytes that a step may take; 0: any
  Span memory_span;
  Builder *built; // its training graph
  NnrtTrain settings;
} TrainSetup;

typedef struct DataFacts {
  bool known;
  Type x, y; // with the batch in front
  bool has_y;
  int class_count, token_count; // 0: y is no class, x is no tokens
  int64_t count, val_count;     // samples of the training and the validation part, -1: unknown
} DataFacts;

void minimize_statement(Elab *e, const Stmt *stmt);
void minimize_loss(Elab *e, Span span, const Stmt *key, Value *loss, Span loss_span, Value *over, Span over_span,
                   const Expr *optimizer);
void report_value(Elab *e, Name name, Value *value, Span span);
void report_statement(Elab *e, const Stmt *stmt);
void train_declaration(Elab *e, Module *module, const Decl *decl);
void read_save(Elab *e, TrainSetup *setup, const Expr *value);
void read_early_stop(Elab *e, TrainSetup *setup, const Expr *value);
// The value that a setting names, `text` for short: it is reported, and there are samples for it.
void check_watched(Elab *e, const TrainSetup *setup, const TrainBlock *block, const Expr *expr, const char *text);
void read_load(Elab *e, TrainSetup *setup, const Expr *value);
bool is_word(const Expr *value, const char *word);
// `least` after an error.
int64_t setting_number(Elab *e, const Expr *value, const char *name, int64_t least, int64_t most);
const char *string_of(Elab *e, const Expr *value, const char *what); // NULL after an error
bool read_patterns(Elab *e, const char *setting, const Expr *value, Patterns *out);
void read_unfreeze(Elab *e, TrainSetup *setup, const Expr *value);
void check_slots_named(Elab *e, const char *setting, const Patterns *patterns); // each names one at least
void check_frozen(Elab *e, const TrainSetup *setup);
bool slot_frozen(Elab *e, const char *name); // in the graph being built
bool call_frozen(Elab *e);                   // the call whose body is being run
// The phase that first trains a slot frozen before; 0: never frozen, or always.
int slot_thawed(Elab *e, const char *name);
bool step_graphs(Elab *e, TrainSetup *setup, TrainBlock *block);
bool data_declare(Elab *e, Global *global);
// Are a batch's samples of the type and shape that a model takes? Dimensions of one, as of grey images, do not count.
bool data_sample_fits(const Type *batch, const Type *wanted);
const DataFacts *data_facts(Elab *e, Global *global, bool counts);
void test_declaration(Elab *e, Module *module, const Decl *decl);
void expect_statement(Elab *e, const Stmt *stmt);

// ---- files and constants (module.c)
Module *module_load(Elab *e, const File *file, const char *path, bool is_prelude);
Value *const_value(Elab *e, Global *global, Span span);
void const_overrides(Elab *e);
