// Every message: its file, line and column, its words, its hint.
#include "elab_helper.h"

static bool contains(const char *messages, const char *text) {
  return strstr(messages, text) != NULL;
}

// An error of a program; `hint` NULL: none is looked for.
static void expect_error(const char *program, const char *place, const char *text, const char *hint) {
  Elaborated result = elaborate_text(program), checked = elaborate_check(program);
  cr_assert_null(result.program, "this should not compile");
  cr_expect_null(checked.program, "`nnc check` should find this");
  cr_expect_str_eq(checked.messages, result.messages);
  char first[512];
  snprintf(first, sizeof first, "t.nn:%s: error: %s\n", place, text);
  cr_expect(contains(result.messages, first), "expected  %sfound\n%s", first, result.messages);
  if (hint) {
    snprintf(first, sizeof first, "hint: %s\n", hint);
    cr_expect(contains(result.messages, first), "expected  %sfound\n%s", first, result.messages);
  }
  arena_free(result.arena);
  arena_free(checked.arena);
}

#define ERROR(name, program, place, text, hint)                                                                        \
  Test(errors, name) {                                                                                                 \
    expect_error(program, place, text, hint);                                                                          \
  }

// ---- names
ERROR(unknown_name, "test \"a\" {\n  expect foo == 1\n}", "2:10", "unknown name `foo`", NULL)
ERROR(misspelt_name, "const width = 3\nconst b = widht + 1", "2:11", "unknown name `widht`", "did you mean `width`?")
ERROR(unknown_layer, "model m(x: f32[4]) { x |> dense(3) |> reluu }", "1:39", "unknown layer `reluu`",
      "did you mean `relu`?")
ERROR(python_word, "const a = np", "1:11", "unknown name `np`", "the functions of the language need no module: exp(x)")
ERROR(pass, "model m(x: f32[2]) { if true { pass }; x }", "1:32", "unknown name `pass`",
      "an empty block is written `{ }`")
ERROR(half, "const a = bf16", "1:11", "unknown name `bf16`", "bf16 is not built yet; use f32")
ERROR(declared_twice, "const a = 1\nconst a = 2", "2:7", "`a` is declared twice", NULL)
ERROR(argument_twice, "layer f(x, x) { x }", "1:12", "`f` has two arguments named `x`", NULL)
ERROR(parameter_twice, "model m(x: f32[2]) { param w: f32[2] = ones; param w: f32[2] = ones; x * w }", "1:52",
      "`w` is declared twice", NULL)
ERROR(const_circle, "const a = b\nconst b = a", "2:11", "the constant `a` depends on itself", NULL)

// ---- arguments
ERROR(unknown_argument, "model m(x: f32[4]) { dense(x, unit: 3) }", "1:31", "`dense` has no argument `unit`",
      "did you mean `units`?")
ERROR(missing_argument, "model m(x: f32[4]) { dense(x) }", "1:22", "`dense` needs an argument `units`", NULL)
ERROR(missing_builtin, "test \"a\" { expect sqrt() == 1 }", "1:19", "`sqrt` needs an argument `x`", NULL)
ERROR(too_many, "model m(x: f32[4]) { relu(x, 2) }", "1:30", "`relu` takes 1 argument, but 2 are given", NULL)
ERROR(given_twice, "model m(x: f32[4]) { dense(x, 3, units: 3) }", "1:41", "argument `units` of `dense` is given twice",
      NULL)
ERROR(wrong_type, "model m(x: f32[4]) { dense(x, \"a\") }", "1:31",
      "`units` of `dense` must be an int, but is the string \"a\"", NULL)
ERROR(float_for_int, "model m(x: f32[4]) { dense(x, 4 / 2) }", "1:31",
      "`units` of `dense` must be an int, but is the float 2",
      "`//` divides whole numbers to a whole number, and int(…) converts")
ERROR(keras_call, "model m(x: f32[4]) { dense(3)(x) }", "1:22", "`dense` needs an argument `units`",
      "`x`, a tensor, comes first: x |> dense(…)")
ERROR(in_quotes, "model m(x: f32[4]) { dense(x, 3, activation: \"relu\") }", "1:22",
      "the string \"relu\" cannot be called", "write relu, without quotes")
ERROR(dropout_rate, "model m(x: f32[4]) { x |> dropout(2) }", "1:27",
      "dropout: the rate is a fraction, from 0 to below 1, not 2", NULL)
ERROR(none_given, "layer f(x, n: int = 3) { dense(x, n) }\nmodel m(x: f32[4]) { f(x, none) }", "2:27",
      "`n` of `f` must be an int, but is none", NULL)
ERROR(not_callable, "const a = 3\nmodel m(x: f32[4]) { x |> a }", "2:27", "the int 3 cannot be called", NULL)

// ---- shapes
ERROR(broadcast, "model m(x: f32[4]) { x + ones([2, 3]) }", "1:22", "shapes f32[n, 4] and f32[2, 3] do not match", NULL)
ERROR(product, "model m(x: f32[4]) {\n  param w: f32[5, 2] = zeros\n  x @ w\n}", "3:3",
      "shapes do not match in f32[n, 4] @ f32[5, 2]: the last dimension of the left and the last but one of the right "
      "must be "
      "equal",
      NULL)
ERROR(product_transposed, "model m(x: f32[4]) {\n  param w: f32[2, 4] = zeros\n  x @ w\n}", "3:3",
      "shapes do not match in f32[n, 4] @ f32[2, 4]: the last dimension of the left and the last but one of the right "
      "must be "
      "equal",
      "write @ transpose(…) on the right")
ERROR(layer_shape, "layer f(x: f32[..., 3]) { x }\nmodel m(x: f32[4]) { f(x) }", "2:24",
      "`x` of `f` must be f32[..., 3], but is f32[n, 4]", NULL)
ERROR(no_dots, "layer f(x: f32[k]) { x }\nmodel m(x: f32[2]) { f(x) }", "2:24",
      "`x` of `f` must be f32[k], but is f32[n, 2]",
      "write f32[..., k]: `...` stands for the leading dimensions, the batch among them")
ERROR(result_rank, "model m(x: f32[4, 4]) -> f32[10] { x |> dense(10) }", "1:26",
      "the result of `m` is declared as f32[10], but is f32[4, 10]", "flatten makes one dimension of all but the batch")
ERROR(result_layer, "model m(x: f32[4]) { relu }", "1:7", "the result of `m` must be a tensor, but is the layer `relu`",
      "the value of a body is its last expression")
ERROR(result_none, "model m(x: f32[4]) { y = x }", "1:7", "the body of `m` has no value",
      "the value of a body is its last expression")
ERROR(data_call, "data d = split(csv(\"a.csv\"), val: 0.1)", "1:16", "`csv` cannot stand in an argument",
      "a source and its transforms are joined by `|>`: csv(\"file.csv\", …) |> split(…)")
ERROR(field_transpose, "model m(x: f32[4]) { x.T }", "1:22", "a tensor f32[n, 4] has no parts, so `.T` means nothing",
      "write transpose(x), or x |> transpose")
ERROR(own_part, "model m(x: f32[2]) { param w: f32[2] = ones; x * m.w }", "1:50",
      "`m` has no parts yet: this is its own body", "a parameter's name stands alone here: w")
ERROR(bound_name, "layer f(x: f32[..., k], y: f32[k]) { x + y }\nmodel m(x: f32[4]) { f(x, ones([3])) }", "2:27",
      "`y` of `f` must be f32[k], but is f32[3]", "`k` is 4 here")
ERROR(dots, "layer f(x: f32[...], y: f32[...]) { x + y }\nmodel m(x: f32[4]) { f(x, ones([3])) }", "2:27",
      "`y` of `f` must be f32[...], but is f32[3]", "`...` is [n, 4] here")
ERROR(result_shape, "model m(x: f32[4]) -> f32[10] { x |> dense(12) }", "1:23",
      "the result of `m` is declared as f32[10], but is f32[12]", NULL)
ERROR(result_constant, "const k = 3\nlayer f(x: T[..., n]) -> T[..., k] { x }\nmodel m(x: f32[4]) { f(x) }", "2:26",
      "the result of `f` is declared as T[..., k], but is f32[n, 4]", "`k` is 3 here")
ERROR(result_nothing, "model m(x: f32[4]) -> f32[4] { y = x }", "1:23",
      "the result of `m` is declared as f32[4], but its body has no value",
      "the value of a body is its last expression")
ERROR(no_batch, "model m(x: f32[4]) { x }\ntest \"a\" { expect m(ones([4])) == 1 }", "2:21",
      "`x` of `m` must be f32[4], but is f32[]", "a model takes a batch: the batch is the first dimension")
ERROR(reshape, "model m(x: f32[4]) { reshape(x, [3, -1, 5]) }", "1:33",
      "no size for -1 makes this shape from f32[n, 4]", NULL)
ERROR(axis, "model m(x: f32[4]) { reduce_sum(x, axis: 2) }", "1:42", "axis 2 of a tensor with 2 dimensions", NULL)
ERROR(slice, "model m(x: f32[4]) { x[:, 2:6] }", "1:27", "the slice reaches beyond the size 4", NULL)
ERROR(element, "model m(x: f32[4]) { x[:, 4] }", "1:27", "index 4 of a dimension of size 4", NULL)
ERROR(batch_slice, "model m(x: f32[4]) { x[0:2] }", "1:24",
      "the batch count is not known at compile time, so it cannot be sliced", NULL)
ERROR(batch_arithmetic, "model m(x: f32[4]) { zeros([shape(x)[0] + 1]) }", "1:29",
      "the batch count is not known at compile time, so `+` cannot be computed",
      "count(x) is the number of samples as a run-time number")
ERROR(batch_parameter, "model m(x: f32[4]) { param w: f32[shape(x)[0]] = zeros; x }", "1:31",
      "a parameter cannot depend on the batch, but this is f32[n]", NULL)
ERROR(ragged, "test \"a\" { expect reduce_sum([[1, 2], [3]]) == 1 }", "1:30",
      "the rows of this list have different lengths", NULL)
ERROR(initial_shape, "model m(x: f32[2]) { param w: f32[2, 2] = [[1, 2]]; x @ w }", "1:43",
      "`m.w` is f32[2, 2], but its initial value is f32[1, 2]", NULL)

// ---- element types
ERROR(element_types, "model m(x: f32[4], y: i64[4]) { x + y }", "1:33",
      "element types of f32[n, 4] and i64[n, 4] differ", "there is no silent conversion: write cast(x, f32)")
ERROR(element_argument, "layer f(x: f64[...]) { x }\nmodel m(x: f32[4]) { f(x) }", "2:24",
      "`x` of `f` must be f64[...], but is f32[n, 4]", "there is no silent conversion: write cast(…, f64)")
ERROR(element_literal, "model m(x: i32[4]) { x + 1.5 }", "1:22",
      "the float 1.5 is not a whole number, and does not fit a tensor of i32", "cast the tensor first: cast(x, f32)")
ERROR(element_range, "model m(x: u8[4]) { x + 256 }", "1:21", "the int 256 is out of the range of u8", NULL)
ERROR(whole_division, "model m(x: i32[4]) { x / 2 }", "1:22", "`/` is real division, but these are tensors of i32",
      "write `//` for whole division, or cast(x, f32) first")
ERROR(unknown_element, "model m(x: f31[4]) { x }", "1:12", "unknown element type `f31`",
      "the element types are f32, f64, i32, i64, u8 and bool")
ERROR(parameter_type, "model m(x: f32[4]) { param w: i32[4] = zeros; x }", "1:31",
      "a parameter must be f32 or f64 to be trained, not i32", "`state` keeps values of any type")

// ---- sizes and numbers
ERROR(size_zero, "model m(x: f32[4]) { dense(x, 0) }", "1:22", "a dimension must be at least 1, not 0", NULL)
ERROR(size_huge, "test \"a\" { expect rank(ones([1000000, 10000000])) == 2 }", "1:29",
      "a tensor f32[1000000, 10000000] is too large", "a tensor may have up to 2^40 elements")
ERROR(overflow, "const a = 9223372036854775807 + 1", "1:11", "the result does not fit in 64 bits", NULL)
ERROR(power_overflow, "const a = 10 ** 19", "1:11", "the result does not fit in 64 bits", NULL)
ERROR(by_zero, "const a = 3 // 0", "1:11", "division by zero", NULL)
ERROR(list_index, "const a = [1, 2][2]", "1:18", "index 2 of a list of 2 items", NULL)
ERROR(string_growth, "test \"a\" { s = \"ab\"\n for i in 0..30 { s = s + s }\n expect len(s) == 2 }", "2:23",
      "a string of more than 1048576 bytes", NULL)
ERROR(endless, "test \"a\" {\n for i in 0..10000000 { x = i }\n}", "2:2",
      "more than 1000000 rounds of compile-time loops", NULL)

// ---- flow
ERROR(recursion, "layer f(x) { f(x) }\nmodel m(x: f32[4]) { f(x) }", "1:14", "`f` calls itself",
      "recursion is not possible; a `for` makes copies at compile time")
ERROR(model_recursion, "model m(x: f32[4]) { m(x) }", "1:22", "`m` calls itself", NULL)
ERROR(unused_value, "model m(x: f32[4]) {\n x + 1\n x\n}", "2:2", "this value is not used",
      "give it a name, or take the line away")
ERROR(unused_minus, "model m(x: f32[4]) {\n y = x\n - x\n y\n}", "3:2", "this value is not used",
      "a line that starts with `-` is a statement of its own; put the `-` at the end of the line before")
ERROR(run_time_if, "model m(x: f32[4]) { if x[0, 0] > 0 { x } else { -x } }", "1:25",
      "the condition of `if` must be a bool known at compile time, but this is a tensor bool[]",
      "where(condition, a, b) chooses element by element at run time")
ERROR(if_value, "model m(x: f32[4]) { y = if true { x }\n y }", "1:26",
      "an `if` without `else` has no value, but one is needed here", NULL)
ERROR(no_value, "layer f(x) { y = x }\nmodel m(x: f32[4]) { z = f(x)\n z }", "2:26",
      "this has no value, but one is needed here", "the value of a body is its last expression")
ERROR(for_count, "test \"a\" { for i in 3 { x = i } }", "1:21", "`for` needs a range or a list, but this is the int 3",
      "write 0..3")
ERROR(tuple_size, "test \"a\" { (a, b) = split([1, 2, 3], 3)\n expect true }", "1:21", "3 values for 2 names", NULL)
ERROR(assign_part, "model m(x: f32[4]) { x[0] = 1\n x }", "1:22", "a tensor cannot be changed in place",
      "build a new one with where, concat or pad")
ERROR(update_name, "model m(x: f32[4]) { y = x\n y := x\n y }", "2:2", "`y` is no parameter or state",
      "`=` gives a value a name")
ERROR(minimize_in_layer, "model m(x: f32[4]) { minimize reduce_sum(x) using sgd()\n x }", "1:22",
      "`minimize` stands only in the body of a step or a test", NULL)
ERROR(expect_shape, "test \"a\" { expect 3 }", "1:19", "`expect` needs a bool, but this is the int 3", NULL)
ERROR(initial_input, "model m(x: f32[2]) { param w: f32[2] = x[0]; x * w }", "1:40",
      "this value is known only while the model runs, and cannot be used here", NULL)
ERROR(initial_other, "model m(x: f32[2]) { param w: f32[2] = ones; param v: f32[2] = w; x * v }", "1:64",
      "an initial value cannot depend on `m.w`", NULL)
ERROR(model_part, "model m(x: f32[2]) { x |> dense(3) }\ntest \"a\" { expect shape(m.dense_1.w) == [2, 3] }", "2:27",
      "`m` has no part `dense_1`", "did you mean `dense_0`?")

// ---- not built yet
ERROR(later_function, "model m(x: f32[8, 8]) { gradient(x, 3) }", "1:25", "`gradient` is not built yet", NULL)
ERROR(later_every, "test \"a\" { every 5 { x = 1 } }", "1:12", "`every` is not built yet", NULL)
ERROR(later_tap, "model m(x: f32[2]) { x |> dense(3) }\ntest \"a\" { expect shape(m.dense_0(ones([1, 2]))) == [1, 3] }",
      "2:25", "the value at a call inside a model is not built yet", NULL)
ERROR(later_run, "run r { x = 1 }", "1:1", "a `run` block is not built yet", NULL)

// ---- training
#define DATA "data d = gauss(n: 64)\nmodel m(x: f32[2]) -> f32[2] { x |> dense(2) }\n"
ERROR(unknown_setting, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; epocs: 3 }", "3:66",
      "unknown setting `epocs`", "did you mean `epochs`?")
ERROR(missing_setting, DATA "train { model: m; data: d; loss: cross_entropy }", "3:1",
      "this train block has no `optimizer`", NULL)
ERROR(missing_settings, DATA "train { model: m }", "3:1", "this train block has no `data`, no `loss`, no `optimizer`",
      NULL)
#define TUNED DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; epochs: 9; "
ERROR(frozen_name, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; freeze: [\"m.dense_1.*\"] }",
      "3:75", "`freeze`: no parameter is named `m.dense_1.*`", "did you mean `m.dense_0.w`?")
ERROR(frozen_all, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; freeze: [m] }", "3:34",
      "nothing is left to train: `freeze` names every parameter of this loss", NULL)
ERROR(loaded_kind, TUNED "load: 3 }", "3:83", "`load` must be a string, but this is the int 3", NULL)
ERROR(loaded_list, TUNED "load: [\"a\", \"b\"] }", "3:83",
      "a list of files says what each is for: [\"net.backbone.*\": \"file.safetensors\"]", NULL)
ERROR(loaded_pattern, TUNED "load: [\"m.dense_1\": \"a\"] }", "3:84", "`load`: no parameter is named `m.dense_1`",
      "did you mean `m.dense_0.w`?")
ERROR(loaded_into, TUNED "load: from(\"a\", into: \"m.head\") }", "3:99", "`load`: no parameter is named `m.head`",
      NULL)
ERROR(loaded_into_pattern, TUNED "load: from(\"a\", into: \"m.*\") }", "3:99",
      "`into` is one part of the model, such as net.backbone", NULL)
ERROR(loaded_nothing, TUNED "load: from(into: m) }", "3:83",
      "`from` needs a file's name: from(\"file.safetensors\", into: net.backbone)", NULL)
ERROR(loaded_twice, TUNED "load: from(\"a\", \"b\") }", "3:93",
      "`from` takes one file; the rest has names, such as `into:`", NULL)
ERROR(loaded_argument, TUNED "load: from(\"a\", renames: [a: \"b\"]) }", "3:93", "`from` has no argument `renames`",
      "did you mean `rename`?")
ERROR(loaded_rename, TUNED "load: from(\"a\", rename: \"b\") }", "3:101",
      "`rename` is a list of names in the file and here: [\"*.weight\": \"*.w\"]", NULL)
ERROR(loaded_stars, TUNED "load: from(\"a\", rename: [\"*.a\": \"b\"]) }", "3:109",
      "`*.a` and `b` must have as many `*`", "each `*` on the right stands for what the one on the left stands for")
ERROR(loaded_many_stars, TUNED "load: from(\"a\", rename: [\"*****************\": \"*****************\"]) }", "3:102",
      "a pattern has at most 16 `*`", NULL)
ERROR(loaded_layout, TUNED "load: from(\"a\", layout: \"pytorch\") }", "3:101",
      "the only other layout is pytorch: kernels as [out, in, …]", "write pytorch, without quotes")
ERROR(frozen_kind, TUNED "freeze: 3 }", "3:85",
      "`freeze` takes models, parts of them, or patterns, but this is the int 3", NULL)
ERROR(thawed_form, TUNED "freeze: m.dense_0; unfreeze: 3 }", "3:106",
      "`unfreeze` is after(5, [net.backbone]): epochs, and what is trained from then on",
      "after(5) alone unfreezes everything, and a list of them goes on step by step")
ERROR(thawed_at_once, TUNED "freeze: \"*.b\"; unfreeze: after(0) }", "3:108",
      "`unfreeze` after 0 epochs must be after 1 epoch or more", NULL)
ERROR(thawed_backwards, TUNED "freeze: \"*.b\"; unfreeze: [after(3, m), after(3)] }", "3:122",
      "`unfreeze` after 3 epochs must be later than the one before it", NULL)
ERROR(thawed_too_late, TUNED "freeze: \"*.b\"; unfreeze: after(9) }", "3:102",
      "`unfreeze` after 9 epochs, but the run has 9", NULL)
ERROR(thawed_unfrozen, TUNED "unfreeze: after(3) }", "3:87", "`unfreeze` without `freeze`: nothing is frozen", NULL)
ERROR(thawed_name, TUNED "freeze: \"*.b\"; unfreeze: after(3, \"m.dense_0.w\") }", "3:111",
      "`unfreeze`: no frozen parameter is named `m.dense_0.w`", "did you mean `m.dense_0.b`?")
ERROR(thawed_without_data,
      "model m(x: f32[4]) { x |> dense(2) }\ntrain { steps: 5; freeze: \"*.b\"; unfreeze: after(3); "
      "step () { minimize l2(m) + 0 * reduce_sum(m(ones([2, 4]))) using sgd } }",
      "2:44", "`unfreeze` counts epochs, but this train block has no `data`", NULL)
ERROR(loss_in_quotes, DATA "train { model: m; data: d; loss: \"mse\"; optimizer: adam }", "3:34",
      "a loss is a layer such as cross_entropy, but this is the string \"mse\"", "write mse, without quotes")
ERROR(save_unreported,
      DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; save: best(val.accuracy, to: \"a\") }",
      "3:77", "nothing named `val.accuracy` is reported",
      "what is reported: val.loss; `metrics: [accuracy]` reports more")
ERROR(save_unvalidated,
      DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; save: best(val.loss, to: \"a\") }", "3:77",
      "there is no `val.loss`: data `d` has no validation samples",
      "write |> split(val: 0.1) behind the data's source, or loss here")
ERROR(stop_unvalidated,
      DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; early_stop: patience(5, val.loss) }",
      "3:90", "there is no `val.loss`: data `d` has no validation samples", NULL)
ERROR(save_by_test,
      DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; save: best(test.loss, to: \"a\") }",
      "3:77", "`test.loss` is only known at the end of a run: nothing can be decided by it", "write val.loss")
ERROR(save_without_data,
      "model m(x: f32[4]) { x |> dense(2) }\ntrain { steps: 5; save: best(val.loss, to: \"a\")\n"
      "step () { minimize l2(m) + 0 * reduce_sum(m(ones([2, 4]))) using sgd } }",
      "2:30", "there is no `val.loss`: this train block has no `data`", "write loss, the value of the training step")
ERROR(set_twice, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; batch: 3; batch: 4 }", "3:76",
      "`batch` is set twice", NULL)
ERROR(no_memory, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; memory: 0 }", "3:74",
      "`memory` must be from 1 to 9223372036854775807, not 0", NULL)
ERROR(both_lengths, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; epochs: 3; steps: 4 }",
      "3:84", "`steps` and `epochs` exclude each other", NULL)
ERROR(epochs_of_nothing,
      "model m() { param w: f32[] = 1 }\ntrain { epochs: 30; step () { minimize m.w using sgd(lr: 1.0) } }", "2:17",
      "without `data` there are no epochs", "write steps: 30")
ERROR(bad_batch, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; batch: 0 }", "3:73",
      "`batch` must be from 1 to 16777216, not 0", NULL)
ERROR(unknown_data, DATA "train { model: m; data: dd; loss: cross_entropy; optimizer: adam }", "3:25",
      "unknown data set `dd`", "did you mean `d`?")
ERROR(no_optimizer, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: 3 }", "3:60",
      "an optimizer is needed here, such as adam(lr: 1e-3), but this is the int 3", NULL)
ERROR(optimizer_argument, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam(rate: 3) }", "3:65",
      "`adam` has no argument `rate`", NULL)
ERROR(samples,
      "data d = gauss(n: 64)\nmodel m(x: f32[3]) -> f32[2] { x |> dense(2) }\ntrain { model: m; data: d; loss: "
      "cross_entropy; optimizer: adam }",
      "2:12", "`x` of `m` is f32[3], but a sample of `d` is f32[2]", NULL)
ERROR(classes,
      "data d = gauss(n: 64)\nmodel m(x: f32[2]) { x |> dense(1) }\ntrain { model: m; data: d; loss: cross_entropy; "
      "optimizer: adam }",
      "3:34", "the data has 2 classes, but `cross_entropy` gets scores for 1: f32[n, 1]",
      "the model's last layer needs 2 units")
ERROR(places,
      "data d = values([1.0, 2.0, 3.0], [0, 1, 2])\nmodel m(x: f32[1]) { x |> dense(2) }\n"
      "train { data: d; step (x, y) { minimize mse(m(x), one_hot(y, 2)) over m using adam() } }",
      "3:51", "the data has 3 different numbers here, but there are places for 2",
      "make it 3, or give the data a `vocabulary`")
ERROR(rows_to_take,
      "data d = values([1.0, 2.0, 3.0], [0, 1, 2])\nmodel m(x: f32[1]) { x |> dense(2) }\n"
      "train { data: d; step (x, y) { minimize mse(m(x), take(zeros([2, 2]), cast(y, i32))) over m using adam() } }",
      "3:51", "the data has 3 different numbers here, but there are places for 2",
      "make it 3, or give the data a `vocabulary`")
ERROR(tokens,
      "data d = text(\"" NNC_SOURCE_DIR
      "/examples/airline.csv\", window: 4)\nmodel m(x: i64[4]) { take(zeros([9, 9]), x) }\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: adam }",
      "2:22", "the data has 24 different numbers here, but there are places for 9",
      "make it 24, or give the data a `vocabulary`")
ERROR(tokens_are_whole,
      "data d = text(\"" NNC_SOURCE_DIR "/examples/airline.csv\", window: 4)\nmodel m(x: f32[4]) { x |> dense(4) }\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: adam }",
      "2:12", "`x` of `m` is f32[4], but a sample of `d` is i64[4]", NULL)
ERROR(targets, DATA "train { model: m; data: d; loss: mse; optimizer: adam }", "3:34",
      "predictions of shape [n, 2] and targets of shape [n] do not match", NULL)
ERROR(loss_scalar, DATA "train { data: d; step (x, y) { minimize m(x) over m using adam() } }", "3:41",
      "a loss must be a real scalar, but this is a tensor f32[n, 2]", "write reduce_mean(…) around it")
ERROR(loss_without_model,
      DATA "model k(x: f32[2]) { x |> dense(2) }\ntrain { data: d; step (x, y) { minimize cross_entropy(m(x), y) over "
           "k using adam() } }",
      "4:69", "the loss does not depend on `k`",
      "name a model whose result goes into the loss, not through stop_gradient")
ERROR(stale,
      DATA "train { data: d; step (x, y) {\n  l = m(x)\n  minimize cross_entropy(l, y) over m using sgd()\n  minimize "
           "reduce_mean(l ** 2) over m using sgd()\n} }",
      "6:12", "this loss uses a value computed from `m.dense_0.w` before it was updated",
      "compute it again after the update, or cut it off with stop_gradient")
#define TWICE(name, kind, squash, place, through)                                                                      \
  ERROR(name, DATA "train { data: d; step (x, y) { minimize " kind "(" through ", y) over m using sgd() } }", place,   \
        "`" kind "` takes logits, but this went through `" squash "` already", NULL)
TWICE(softmax_dropped, "cross_entropy", "softmax", "3:55", "m(x) |> softmax |> dropout(0.5)")
TWICE(softmax_reshaped, "cross_entropy", "softmax", "3:55", "reshape(softmax(m(x)), [-1, 2])")
TWICE(softmax_flattened, "cross_entropy", "softmax", "3:55",
      "m(x) |> softmax |> reshape([shape(x)[0], 2, 1]) |> flatten")
TWICE(softmax_clamped, "cross_entropy", "softmax", "3:55", "clamp(softmax(m(x)), 1e-7, 1)")
TWICE(sigmoid_taken, "binary_cross_entropy", "sigmoid", "3:62", "sigmoid(m(x))[:, 0]")
TWICE(sigmoid_dropped, "binary_cross_entropy", "sigmoid", "3:62", "sigmoid(m(x))[:, 0] |> dropout(0.1)")
ERROR(softmax_dropped_at_the_end,
      "data d = gauss(n: 64)\nmodel m(x: f32[2]) -> f32[2] { x |> dense(2) |> softmax |> dropout(0.5) }\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: sgd }",
      "3:34", "`cross_entropy` takes logits, but this went through `softmax` already", NULL)
ERROR(softmax_twice,
      DATA "train { data: d; step (x, y) { minimize cross_entropy(softmax(m(x)), y) over m using sgd() } }", "3:55",
      "`cross_entropy` takes logits, but this went through `softmax` already",
      "take it away; nll(log(p), y) takes probabilities")
ERROR(step_inputs, DATA "train { data: d; step (x, y, z) { report a: reduce_mean(x) } }", "3:30",
      "a sample of `d` has an input and a target, so the step takes at most 2", NULL)
ERROR(step_nothing, DATA "train { data: d; step (x, y) { z = x } }", "3:18",
      "this step neither minimizes nor reports anything", "write `report error: …` to see how it goes")
ERROR(report_scalar, DATA "train { data: d; step (x, y) { report a: x } }", "3:42",
      "a report must be a scalar, but this is f32[n, 2]", "write reduce_mean(…) around it")
ERROR(report_twice, DATA "train { data: d; step (x, y) { report a: 1, a: 2 } }", "3:45", "`a` is reported twice", NULL)
ERROR(save_value,
      DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; save: best(val.los, to: \"a\") }", "3:77",
      "nothing named `val.los` is reported", "did you mean `val.loss`?")
ERROR(save_shape, DATA "train { model: m; data: d; loss: cross_entropy; optimizer: adam; save: 3 }", "3:72",
      "`save` is best(val.loss, to: \"…\") or every(5, to: \"…\")", NULL)
ERROR(no_meaning, DATA "train { data: d; model: m; step (x, y) { report a: 1 } }", "3:18",
      "`model` has no meaning beside a `step`, which says all that is done", NULL)
ERROR(two_trains, DATA "train { data: d; step (x, y) { report a: 1 } }\ntrain { data: d; step (x, y) { report a: 1 } }",
      "4:1", "there are two train blocks named `train`", NULL)

// ---- counts
ERROR(multiply_adds_of_a_part,
      "model m(x: f32[2]) { x |> dense(3) }\ntest \"t\" { expect multiply_adds(m.dense_0) == 6 }", "2:33",
      "`multiply_adds` needs a whole model, but `m.dense_0` is a part of one", NULL)
ERROR(multiply_adds_of_a_layer, "test \"t\" { expect multiply_adds(relu) == 0 }", "1:33",
      "`multiply_adds` needs a model, but this is the layer `relu`", NULL)

// ---- files
ERROR(data_source, "data d = cvs(\"a.csv\")", "1:10", "unknown data source `cvs`; did you mean `csv`?", NULL)
ERROR(import_missing, "import \"nowhere.nn\"", "1:8",
      "cannot read \"" NNC_SOURCE_DIR "/nowhere.nn\": No such file or directory", NULL)

Test(errors, chain_of_calls) {
  Elaborated result = elaborate_text("layer inner(x: f32[..., n]) { x + ones([5]) }\n"
                                     "layer outer(x) { x |> inner }\n"
                                     "model m(x: f32[4]) { x |> outer }\n");
  const char *error = strstr(result.messages, "t.nn:1:31: error: shapes f32[n, 4] and f32[5] do not match");
  const char *first = strstr(result.messages, "t.nn:2:23: note: in the call to `inner` here");
  const char *second = strstr(result.messages, "t.nn:3:27: note: in the call to `outer` here");
  cr_expect(error && first && second && error < first && first < second, "%s", result.messages);
  arena_free(result.arena);
}

Test(errors, prelude_faults_are_shown_at_the_call) {
  Elaborated result = elaborate_text("model m(x: f32[5]) {\n  x |> maxout(pieces: 2)\n}\n");
  cr_expect(contains(result.messages, "t.nn:2:8: error: maxout: 5 features are no multiple of 2 pieces"), "%s",
            result.messages);
  arena_free(result.arena);
}

Test(errors, stale_shows_both_lines) {
  Elaborated result = elaborate_text(
      DATA "train { data: d; step (x, y) {\n  l = m(x)\n  minimize cross_entropy(l, y) over m using sgd()\n"
           "  minimize reduce_mean(l ** 2) over m using sgd()\n} }");
  cr_expect(contains(result.messages, "t.nn:4:3: note: computed here"), "%s", result.messages);
  cr_expect(contains(result.messages, "t.nn:5:3: note: updated here"), "%s", result.messages);
  arena_free(result.arena);
}

// One mistake, one error.
static void expect_errors(const char *program, int count) {
  Elaborated result = elaborate_text(program);
  int found = 0;
  for (const char *at = result.messages; (at = strstr(at, " error: ")) != NULL; at++)
    found++;
  cr_expect_eq(found, count, "%d errors instead of %d:\n%s", found, count, result.messages);
  arena_free(result.arena);
}

Test(errors, nothing_follows_from_an_error) {
  expect_errors(DATA "train { mdel: m; data: d; loss: cross_entropy; optimizer: adam }", 1);
  expect_errors(DATA "train { model: m, data: d, loss: cross_entropy, optimizer: adam }", 1);
  expect_errors(DATA "train {", 1);
  expect_errors(DATA "train { data: d; step (x, y) { report a } }", 1);
  expect_errors("const a = foo\n" DATA "train { data: d; step (x, y) { report b: a } }", 1);
  expect_errors("model m(x: f32[2], x: f32[2]) { x }", 1);
  expect_errors("model m(x: f32[4]) { dense(3)(x) }", 1);
  expect_errors("model m(x: f32[4]) { (a, b) = x\n a + b }", 1);
  expect_errors("model m(x: f32[4]) { (a, b) = split(x, 4, axis: -1)\n a + b }", 1);
  expect_errors("import \"nowhere.nn\"\nmodel m(x: f32[4]) { x |> block(3) }", 1);
  expect_errors("model m(x: f32[4]) { x | relu }", 1);
  expect_errors("model m(x: f32[4]) { param w = zeros\n x * w }", 1);
}

Test(errors, every_setting_is_looked_at) {
  expect_errors(DATA "train { model: m; data: dd; loss: cross_entrop; optimizer: adm; metrics: [acuracy] }", 4);
}

Test(errors, several_in_one_run) {
  Elaborated result = elaborate_text("const a = foo\nmodel m(x: f32[4]) { x |> bar }\nconst b = 1 // 0\n");
  cr_expect(contains(result.messages, "unknown name `foo`"));
  cr_expect(contains(result.messages, "unknown layer `bar`"));
  cr_expect(contains(result.messages, "division by zero"));
  arena_free(result.arena);
}

Test(errors, import_circle) {
  Elaborated result = elaborate_file(NNC_SOURCE_DIR "/tests/elaborate/circle_a.nn");
  cr_expect_null(result.program);
  cr_expect(contains(result.messages, "circle_b.nn:1:1: error: files import each other in a circle"), "%s",
            result.messages);
  arena_free(result.arena);
}

Test(errors, set_unknown_constant) {
  Elaborated result = elaborate_set("const hidden = 3\n", "hiden", "4");
  cr_expect_null(result.program);
  cr_expect(contains(result.messages, "--set hiden: there is no constant `hiden`"), "%s", result.messages);
  cr_expect(contains(result.messages, "did you mean `hidden`?"), "%s", result.messages);
  arena_free(result.arena);
}

// ---- layers of the prelude, and what they are made of
#define X4 "test \"a\" { x = zeros([2, 5, 5, 6])\n"
ERROR(conv_groups, X4 "expect conv2d(x, 8, groups: 4) == 0 }", "2:8",
      "conv2d: 6 channels to 8 cannot be split into 4 groups", NULL)
ERROR(conv_rank, "model m(x: f32[4]) { x |> conv2d(8) }", "1:22",
      "`x` of `conv2d` must be T[..., h, w, c], but is f32[n, 4]", NULL)
ERROR(conv_does_not_fit, X4 "expect conv2d(x, 8, 7, stride: 2) == 0 }", "2:8",
      "a window of 7 does not fit into f32[2, 5, 5, 6]: dimension 1 has 5 places and padding 0 + 0",
      "outputs = (N + P - F) / S + 1 = (5 + 0 - 7) / 2 + 1, rounded down, must be at least 1")
ERROR(conv_padding, X4 "expect conv2d(x, 8, padding: \"full\") == 0 }", "2:8",
      "`padding` is `valid`, `same`, a number, or a list, not \"full\"", NULL)
ERROR(conv_stride, X4 "expect conv2d(x, 8, stride: [1, 2, 3]) == 0 }", "2:8",
      "`stride` has 3 items, but there are 2 dimensions of space", NULL)
ERROR(depthwise_multiplier, X4 "expect depthwise_conv2d(x, multiplier: 0) == 0 }", "2:8",
      "depthwise_conv2d: the multiplier is 1 or more, not 0", NULL)
ERROR(pool_rank, "test \"a\" { expect max_pool(zeros([2, 3])) == 0 }", "1:19",
      "max_pool: an input [n, space.., c] is needed, not one of shape [2, 3]", NULL)
ERROR(pool_does_not_fit, X4 "expect avg_pool(x, 6) == 0 }", "2:8",
      "a window of 6 does not fit into f32[2, 5, 5, 6]: dimension 1 has 5 places and padding 0 + 0", NULL)
ERROR(adaptive_none, X4 "expect adaptive_avg_pool(x, 0) == 0 }", "2:8", "adaptive_avg_pool: 0 outputs", NULL)
ERROR(crop_all, X4 "expect crop(x, [[0, 0], [2, 3]]) == 0 }", "2:8",
      "crop: 2 + 3 places of the 5 of dimension 2 leave nothing", NULL)
ERROR(upsample_none, X4 "expect upsample(x, 0) == 0 }", "2:8", "upsample: a factor is 1 or more, not 0", NULL)
ERROR(resize_mode, X4 "expect resize(x, 3, mode: \"cubic\") == 0 }", "2:8",
      "resize: the mode is \"nearest\" or \"bilinear\", not \"cubic\"", NULL)
ERROR(resize_corners, X4 "expect resize(x, 3, align_corners: true) == 0 }", "2:8",
      "resize: align_corners is for \"bilinear\"", NULL)
ERROR(resize_none, X4 "expect resize(x, [3, 0]) == 0 }", "2:8", "resize: to a size of 0", NULL)
ERROR(batch_norm_rank, "test \"a\" { expect batch_norm(ones([3])) == 0 }", "1:19",
      "batch_norm: an input [.., c] is needed, not one of shape [3]", NULL)
ERROR(layer_norm_axes, X4 "expect layer_norm(x, 5) == 0 }", "2:8",
      "layer_norm: over the last 5 dimensions of an input of shape [2, 5, 5, 6]", NULL)
ERROR(group_norm_groups, X4 "expect group_norm(x, 4) == 0 }", "2:8",
      "group_norm: 6 channels cannot be split into 4 groups", NULL)
ERROR(group_norm_rank, "test \"a\" { expect group_norm(ones([6]), 3) == 0 }", "1:19",
      "group_norm: an input [n, .., c] is needed, not one of shape [6]", NULL)
ERROR(response_size, X4 "expect local_response_norm(x, 0) == 0 }", "2:8", "local_response_norm: over 0 channels", NULL)
ERROR(shuffle_groups, X4 "expect channel_shuffle(x, 4) == 0 }", "2:8",
      "channel_shuffle: 6 channels cannot be split into 4 groups", NULL)
ERROR(heads_width, X4 "expect multi_head_attention(x[0], 4) == 0 }", "2:8",
      "multi_head_attention: 6 features cannot be split into 4 heads", NULL)
ERROR(heads_shared, X4 "expect multi_head_attention(x[0], 3, kv_heads: 2) == 0 }", "2:8",
      "multi_head_attention: 3 heads cannot share 2 heads of keys and values", NULL)
ERROR(keys_and_values, X4 "expect attention(x, x[:, :, :3], x) == 0 }", "2:8",
      "`attend`: there must be as many keys as values, not f32[2, 5, 3, 6] and f32[2, 5, 5, 6]", NULL)
ERROR(score_bias, X4 "expect attention(x, x, x, bias: ones([5, 4], f32)) == 0 }", "2:8",
      "shapes f32[2, 5, 5, 5] and f32[5, 4] do not match", NULL)
ERROR(key_mask_length, X4 "expect multi_head_attention(x[0], 2, keys: ones([5, 4], bool)) == 0 }", "2:8",
      "key_mask: bools of shape [5, 4] are not of 5 keys", NULL)
ERROR(key_mask_reals, X4 "expect multi_head_attention(x[0], 2, keys: 2.5) == 0 }", "2:8",
      "the float 2.5 is not a whole number, and does not fit a tensor of i64", NULL)
ERROR(rotary_odd, X4 "expect rotary_positions(x[..., :5]) == 0 }", "2:8",
      "rotary_positions: features are turned in pairs, and 5 is odd", NULL)
ERROR(patch_size, X4 "expect patch_embedding(x, 2, 8) == 0 }", "2:8",
      "patch_embedding: an image of 5 x 5 has no whole number of patches of 2", NULL)
ERROR(embedding_of_reals, X4 "expect embedding(x * ones([6], f32), 3, 8) == 0 }", "2:8",
      "indices must be whole numbers, but these are f32[2, 5, 5, 6]", "write cast(…, i64)")
ERROR(spatial_rate, X4 "expect spatial_dropout(x, 1.0) == 0 }", "2:8",
      "spatial_dropout: the rate is a fraction, from 0 to below 1, not 1", NULL)
ERROR(depth_rate, X4 "expect stochastic_depth(x, -0.5) == 0 }", "2:8",
      "stochastic_depth: the rate is a fraction, from 0 to below 1, not -0.5", NULL)
ERROR(smoothing, "test \"a\" { expect cross_entropy([[1.0, 2.0]], [1], smoothing: 1.0) == 0 }", "1:19",
      "smoothing is a fraction, from 0 to below 1, not 1", NULL)
ERROR(class_weights, "test \"a\" { expect cross_entropy([[1.0, 2.0]], [1], weights: [1, 2, 3]) == 0 }", "1:19",
      "a list of 3 items where 2 are needed", NULL)
ERROR(yolo_cells, "test \"a\" { expect yolo_loss(zeros([1, 2, 2, 9]), zeros([1, 2, 2, 5])) == 0 }", "1:19",
      "yolo_loss: 9 numbers a cell are no 2 boxes of 5 and classes", NULL)
ERROR(yolo_targets, "test \"a\" { expect yolo_loss(zeros([1, 2, 2, 13]), zeros([1, 2, 2, 5])) == 0 }", "1:19",
      "yolo_loss: predictions of shape [1, 2, 2, 13] need targets of 5 numbers and 3 classes a cell, not [1, 2, 2, 5]",
      NULL)
ERROR(metric_average, "test \"a\" { expect f1([[1.0, 2.0]], [1], average: \"all\") == 0 }", "1:19",
      "the average is \"macro\" or \"micro\", not \"all\"", NULL)
ERROR(metric_parameter,
      "layer m(x, higher_is_better = true) { param w: f32[] = 1; x * w }\ntest \"a\" { expect m(1.0) == 1 }", "1:39",
      "a metric has no parameters", "write state w: f64[…]")
ERROR(metric_start,
      "layer m(x, higher_is_better = true) { state w: f32[] = 1; x * w }\ntest \"a\" { expect m(1.0) == 1 }", "1:39",
      "what a metric counts starts at zero", "write state w: f64[…]")
ERROR(first_flag, "test \"a\" { expect reduce_max([1.0], first: 1) == 1 }", "1:44",
      "`first` must be a bool, but this is the int 1", NULL)
ERROR(first_of_batches, "model m(x: f32[2]) -> f32[2] { a = x @ transpose(x)\n reduce_max(a, first: true) + x }", "2:2",
      "`reduce_max`: the first of equals is not known along 2 dimensions of the batch", NULL)
ERROR(window_space, X4 "expect window(x, [1, 2, 3, 4]) == 1 }", "2:15",
      "windows over 4 dimensions of space need an input [.., space.., channels], but this is f32[2, 5, 5, 6]", NULL)
ERROR(window_ceil, X4 "expect window(x, 2, ceil: 1) == 1 }", "2:27", "`ceil` must be a bool, but this is the int 1",
      NULL)
ERROR(window_large, X4 "expect window(x, 20000000) == 1 }", "2:18", "`size` must be at most 2^24, not 20000000", NULL)
ERROR(window_negative, X4 "expect window(x, 2, padding: -1) == 1 }", "2:30", "`padding` must be 0 or more, not -1",
      NULL)
ERROR(window_rank, "test \"a\" { expect window(zeros([2, 3, 3, 3, 3, 3, 1]), [2, 2, 2]) == 1 }", "1:19",
      "windows of f32[2, 3, 3, 3, 3, 3, 1] would have more than 8 dimensions", NULL)
ERROR(window_batch, "model m(x: f32[4]) { window(reshape(x, [1, -1, 1]), 2) }", "1:29",
      "a window cannot move along the batch, dimension 1 of f32[1, 4n, 1]", NULL)
ERROR(each_count, "test \"a\" { expect each(1, -1) == 1 }", "1:27", "a list of -1 items", NULL)
ERROR(each_list, "test \"a\" { expect each([1, 2], 3) == 1 }", "1:24", "a list of 2 items where 3 are needed", NULL)
ERROR(conv_weights, X4 "expect conv(x, zeros([3, 3])) == 1 }", "2:16",
      "weights are [taps.., channels, outputs], but these are f32[3, 3]", NULL)
ERROR(conv_pairs, X4 "expect conv(x, zeros([3, 3, 6, 4]), padding: [[1, 1]]) == 1 }", "2:46",
      "`padding` has 1 pairs, but there are 2 dimensions of space", NULL)
ERROR(conv_channels, X4 "expect conv(x, zeros([3, 3, 5, 4])) == 1 }", "2:8",
      "`conv`: f32[2, 5, 5, 6] has 6 channels, weights f32[3, 3, 5, 4] are for 5", NULL)
ERROR(conv_no_groups, X4 "expect conv(x, zeros([3, 3, 6, 4]), groups: 0) == 1 }", "2:8",
      "`conv`: 6 channels to 4 cannot be split into 0 groups", NULL)
ERROR(conv_transpose_padding, X4 "expect conv_transpose(x, zeros([3, 3, 6, 4]), padding: 9) == 1 }", "2:8",
      "padding 9 + 9 leaves nothing of dimension 1", "outputs = (N - 1) * S + F - P = (5 - 1) * 1 + 3 - 18")
ERROR(window_fill, "test \"a\" { expect window(cast([[[1]]], u8), 1, fill: 256) == 1 }", "1:54",
      "`fill` must be a number of the tensor's type u8, but this is the int 256", NULL)
ERROR(window_fill_kind, X4 "expect window(x, 1, fill: \"a\") == 1 }", "2:27",
      "`fill` must be a number of the tensor's type f32, but this is the string \"a\"", NULL)
ERROR(auc_classes, "test \"a\" { expect auc([[1.0, 2.0, 3.0]], [1]) == 0 }", "1:19",
      "auc: of one score or two, not of 3", NULL)

// ---- attention
#define QKV "test \"a\" {\n  x = zeros([2, 5, 4], f32)\n  "
ERROR(attend_size, QKV "expect attend(x, zeros([2, 5, 3]), x) == 1\n}", "3:10",
      "`attend`: queries f32[2, 5, 4] and keys f32[2, 5, 3] must have one size, but 4 and 3 differ", NULL)
ERROR(attend_rank, QKV "expect attend(1.0, x, x) == 1\n}", "3:10",
      "`attend`: queries are [.., length, size], but these are f32[]", NULL)
ERROR(attend_types, QKV "expect attend(x, x, cast(x, f64)) == 1\n}", "3:10",
      "element types of f32[2, 5, 4] and f64[2, 5, 4] differ", "there is no silent conversion: write cast(x, f64)")
ERROR(attend_causal, QKV "expect attend(x, x, x, causal: 1) == 1\n}", "3:34",
      "`causal` must be a bool, but this is the int 1", NULL)
ERROR(attend_scale, QKV "expect attend(x, x, x, scale: x) == 1\n}", "3:33",
      "`scale` must be a finite number known at compile time, but this is a tensor f32[2, 5, 4]", NULL)
ERROR(attend_mask, QKV "expect attend(x, x, x, mask: zeros([5, 5], f32)) == 1\n}", "3:32",
      "`mask` must be of bools, true where a query sees a key, but this is f32[5, 5]", "write mask != 0")
ERROR(attend_mask_shape, QKV "expect attend(x, x, x, mask: ones([4, 5], bool)) == 1\n}", "3:10",
      "`attend`: a mask is [.., queries, keys], here [.., 5, 5], not bool[4, 5]", NULL)
ERROR(attend_lengths, QKV "expect attend(x, x, x, lengths: [1, 2, 3]) == 1\n}", "3:35",
      "`lengths` must be whole numbers for the first dimensions of f32[2, 5, 4], but these are i64[3]", NULL)
ERROR(attend_lengths_type, QKV "expect attend(x, x, x, lengths: zeros([2], f32)) == 1\n}", "3:35",
      "`lengths` must be whole numbers for the first dimensions of f32[2, 5, 4], but these are f32[2]", NULL)

// ---- scans
#define SCAN(body) "test \"a\" { s = " body "; expect s == 3 }"
ERROR(scan_report,
      "model m(x: f32[3, 2]) -> f32[2] { scan xt in x with h = zeros([..., 2]) { h = h + xt; report a: 1 } }", "1:87",
      "`report` cannot stand in a scan", "carry the value (`with total = …`) and use it behind the scan")
ERROR(scan_update, "test \"a\" { param w: f32[]; s = scan i in 0..3 with h = 0.0 { w := h; h = w }; expect s == 3 }",
      "1:62", "`:=` cannot stand in a scan", "carry the value (`with total = …`) and use it behind the scan")
ERROR(scan_minimize,
      "test \"a\" { param w: f32[]; s = scan i in 0..3 with h = 0.0 { minimize w using sgd }; expect s == 3 }", "1:62",
      "`minimize` cannot stand in a scan", "carry the value (`with total = …`) and use it behind the scan")
ERROR(scan_expect, SCAN("scan i in 0..3 with h = 0.0 { expect h == 0 }"), "1:46", "`expect` cannot stand in a scan",
      NULL)
ERROR(scan_no_steps, SCAN("scan with h = 0.0, steps: 0 { h = h + 1 }"), "1:42", "a scan takes at least one step, not 0",
      NULL)
ERROR(scan_real_steps, SCAN("scan with h = 0.0, steps: 2.5 { h = h + 1 }"), "1:42",
      "`steps` must be an int, but this is the float 2.5", NULL)
ERROR(scan_steps_of_input, SCAN("scan x in ones([3]), steps: 4 with h = 0.0 { h = h + x }"), "1:37",
      "a scan takes as many steps as its input has", "take a part of it: x[:, :10]")
ERROR(scan_without_steps, SCAN("scan with h = 0.0 { h = h + 1 }"), "1:16", "how many steps does this scan take?",
      "write `scan i in 0..10 with …`, or `scan with …, steps: 10`")
ERROR(scan_reverse, SCAN("scan with h = 0.0, reverse: 1, steps: 3 { h = h + 1 }"), "1:44",
      "`reverse` is true or false, not the int 1", NULL)
ERROR(scan_option, SCAN("scan with h = 0.0, stepz: 3 { h = h + 1 }"), "1:35", "a scan has no option `stepz`",
      "did you mean `steps`?")
ERROR(scan_scalar, SCAN("scan x in 3.0 with h = 0.0 { h = h + x }"), "1:26", "a scalar has nothing to scan along", NULL)
ERROR(scan_batch, "model m(x: f32[2]) -> f32[2] { scan xt in x along 0 with h = zeros([2]) { h = h + xt } }", "1:51",
      "a scan cannot go along the batch, whose size is known only at run time",
      "samples do not depend on each other; write `along 1` for the first dimension behind the batch")
ERROR(scan_axis, SCAN("scan x in ones([3, 2]) along 5 with h = 0.0 { h = h + 1 }"), "1:45",
      "axis 5 of a tensor with 2 dimensions", NULL)
ERROR(scan_carried_twice, SCAN("scan with h = 0.0, h = 1.0, steps: 3 { h = h + 1 }"), "1:35", "`h` is carried twice",
      NULL)
ERROR(scan_yields_twice, SCAN("scan with h = 0.0, steps: 3 { yield h; yield h }"), "1:55", "a scan yields once a step",
      "several values are yielded together: yield (a, b)")
ERROR(scan_yield_outside, "layer f(x) { yield x; x }\ntest \"a\" { expect f(1.0) == 0 }", "1:14",
      "`yield` stands only in the body of a scan", NULL)
ERROR(scan_yield_in_layer, "layer f(x) { yield x; x }\ntest \"a\" { s = scan i in 0..3 { f(1.0) }; expect s == 3 }",
      "1:14", "`yield` stands only in the body of a scan", NULL)
ERROR(scan_shape, SCAN("scan with h = 0.0, steps: 3 { h = stack([h, h]) }"), "1:26",
      "`h` is f32[] at first and f32[2] after a step", "what is carried keeps its shape: begin with zeros(shape)")
ERROR(scan_real_lengths, SCAN("scan with h = zeros([3]), steps: 3, lengths: ones([3], f32) { h = h + 1 }"), "1:61",
      "lengths are whole numbers, not f32[3]", NULL)
ERROR(scan_lengths_deep, SCAN("scan with h = zeros([3]), steps: 3, lengths: [[1, 2, 3]] { h = h + 1 }"), "1:16",
      "lengths i64[1, 3] do not fit f32[3]", NULL)
ERROR(scan_lengths_other, SCAN("scan with h = zeros([2, 5]), steps: 3, lengths: [1, 2, 3] { h = h + 1 }"), "1:16",
      "lengths i64[3] do not fit f32[2, 5]", NULL)
#define DEEPER "scan i in 0..2 with h = h { h = "
ERROR(scan_too_deep,
      "test \"a\" { h = 0.0; s = " DEEPER DEEPER DEEPER DEEPER DEEPER "h + 1 } } } } }; expect s == 32 }", "1:153",
      "scans are nested more than 4 deep", NULL)
ERROR(scan_value_outside,
      "test \"a\" { y = 0.0; "
      "s = scan x in ones([3]) with s = 0.0 { y = x; s = s + x }; expect y == 3 }",
      "1:87", "this value belongs to the steps of a scan, and there is one in each",
      "carry it to have the last one (`with y = …`), or yield it to have them all")
ERROR(scan_return, "layer f(x) { scan with h = x, steps: 3 { return h } }\ntest \"a\" { expect f(1.0) == 0 }", "1:14",
      "`return` cannot leave a scan", NULL)
ERROR(scan_of_nothing, SCAN("scan i in 0..3 { j = i }"), "1:16", "this scan neither carries nor yields anything", NULL)

// ---- recurrent layers
#define CELL(call) "model m(x: f32[4, 3]) -> f32[4, 3] { x |> " call " }"
ERROR(cell_biases, CELL("lstm(3, biases: 3)"), "1:43", "lstm: 0, 1 or 2 biases a gate, not 3", NULL)
ERROR(cell_reset, CELL("gru(3, reset: \"never\")"), "1:43", "gru: reset is \"after\" or \"before\", not \"never\"",
      NULL)
ERROR(cell_update, CELL("gru(3, update: \"always\")"), "1:43", "gru: update is \"old\" or \"new\", not \"always\"",
      NULL)
ERROR(cell_layers, CELL("stacked(gru, units: 3, layers: 0)"), "1:43", "stacked: 1 layer or more, not 0", NULL)
ERROR(cell_lengths, CELL("gru(3, lengths: [1, 2])"), "1:43", "lengths i64[2] do not fit f32[n, 3]", NULL)
