// Package engine answers: how does a suite become a run?
//
//  1. [NewPlan] resolves everything a suite names (model, vocabulary, methods, data sets, queries,
//     output folder) and reports every fault at once, before any work starts.
//  2. [Plan.Run] encodes the class names, then takes every picture through decode, preprocess, forward
//     (whole or in windows, as the framing of a protocol has it) and label decoding on a few workers that
//     share one session. Samples of several data sets that show one picture alike are one errand.
//  3. Each sample leaves a [Record] in records.jsonl as soon as it is done. Nothing else is kept, but what
//     [Save] asks for and the pictures of a few panels.
//  4. [Score] turns the records into scores with intervals. It is a pure function of them, so resumed,
//     sharded and merged runs give equal numbers.
//
// Each task (segmentation, explain, multilabel, faithfulness) has a file of its name, with an implementation of task,
// which says what a record holds and what it is worth. What is done with records later needs neither model nor pictures:
// [Merge] joins shards, [Rescore] scores again, [Compare] pairs two runs image by image, [WriteRows] makes a flat
// table. [Check] opens what a plan names and estimates the time, [ScoreLabels] and [ScoreTags] score what other
// programs predicted.
//
// This is the only package that knows configs, datasets, metrics, runners and reports at once; the
// translations between them are all here.
package engine
