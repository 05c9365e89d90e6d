// Package analysis answers: what can be said of runs and predictions once they are measured?
//
// It needs neither model nor pictures: [Merge] joins shards, [Rescore] scores again, [Compare] pairs two runs image by
// image, [WriteRows] makes a flat table, [ScoreLabels] and [ScoreTags] score what other programs predicted.
package analysis
