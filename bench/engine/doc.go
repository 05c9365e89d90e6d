// Package engine answers: how does a suite become a run?
//
//  1. [NewPlan] resolves everything a suite names (model, vocabulary, methods, data sets, queries,
//     output folder) and reports every fault at once, before any work starts.
//  2. [Plan.Run] encodes the class names, then takes every picture through decode, preprocess, forward
//     (whole or in windows, as the framing of a protocol has it) and its task's measure on a few workers that
//     share one session. Samples of several data sets that show one picture alike are encoded once.
//  3. Each sample leaves a record in records.jsonl as soon as it is done. Nothing else is kept, but what
//     [Save] asks for and the pictures of a few panels.
//  4. The records become scores with intervals, which depend on nothing else, so resumed, sharded and merged
//     runs give equal numbers.
//
// [Check] opens what a plan names and estimates the time.
//
// With bench/tasks and bench/analysis, this package knows configs, datasets, metrics, runners and reports at once; the
// translations between them are all there.
package engine
