// Package engine answers: how does a suite become a run?
//
//  1. [NewPlan] resolves everything a suite names (model, vocabulary, methods, data sets, queries,
//     output folder) and reports every fault at once, before any work starts.
//  2. [Plan.Run] encodes the class names, then takes every picture through decode, preprocess, forward
//     and label decoding on a few workers that share one session. Samples of several data sets that show
//     one picture alike are one errand.
//  3. Each sample leaves a [Record] in records.jsonl as soon as it is done. Nothing else is kept.
//  4. [Score] turns the records into scores with intervals. It is a pure function of them, so resumed,
//     sharded and merged runs give equal numbers.
//
// This is the only package that knows configs, datasets, metrics, runners and reports at once; the
// translations between them are all here.
package engine
