package tasks

import (
	"fmt"
	"slices"

	"ovbench/bench/records"
	"ovbench/reports/results"
)

// Level is the confidence of intervals.
const Level = 0.95

// Metrics lists the scores of cells, by task.
var Metrics = []struct{ Name, Doc string }{
	{"mIoU", "segmentation: mean over classes of intersection over union, pooled over the data set"},
	{"mAcc", "segmentation: mean over classes of recall"},
	{"aAcc", "segmentation: share of pixels that are right"},
	{"FWIoU", "segmentation: IoU weighted by the classes' share of pixels"},
	{"mDice", "segmentation: mean over classes of 2I/(T+P)"},
	{"mIoU-image", "segmentation: mean over images of the mIoU of each image alone"},
	{"mIoU-image-class", "segmentation: mean over classes of their mean IoU in single images"},
	{"mBIoU", "segmentation: mIoU of the boundaries of classes, 2 % of the image diagonal wide"},
	{"iIoU", "segmentation, convention cityscapes: mIoU with things weighted by their size; mIoU_category and iIoU_category likewise"},
	{"fg-mIoU", "explain: foreground IoU of each class present, at the best threshold of a grid, averaged over classes"},
	{"fg-mIoU@other-half", "explain: the same, each half of the images at the threshold of the other"},
	{"fg-mIoU@0.5", "explain: the same at threshold 0.5"},
	{"fg-mIoU@otsu", "explain: the same, each map at Otsu's threshold"},
	{"fg-mIoU-image", "explain: IoU of each map alone, averaged over classes, at its best threshold"},
	{"PxAP", "explain: average precision of pixels"},
	{"mSC", "explain: mean value inside minus outside of the mask, in -1..1"},
	{"pointing", "explain: pointing game, highest pixel within 15 pixels of the mask, mean over all classes"},
	{"pointing-seen", "explain: the same over the classes that occur"},
	{"pointing-boxes", "explain: the pointing game on filled boxes, as TorchRay plays it on VOC; pointing-masks on masks of COCO's things"},
	{"energy", "explain: share of a map's sum that lies inside of the mask"},
	{"pixAcc", "explain, convention imagenet-segmentation: share of pixels that are right, with mIoU, mAP and mF1 of the same protocol"},
	{"mAP", "multilabel: mean over classes of average precision, scikit-learn's; mAP_voc07-11pt, mAP_voc-envelope, mAP_asl beside it"},
	{"OF1@3", "multilabel: F1 of the three highest classes of each image, all classes together; CF1, @5 and their parts likewise"},
	{"deletion", "faithfulness: area under the curve of the explained class as its pixels are deleted; low is good"},
	{"insertion", "faithfulness: area under the curve as its pixels are inserted; high is good"},
}

// Score turns records into the cells of a run, data set by data set and method by method. It depends on the records
// alone, not on their order. Intervals come from bootstrap resamples of the images; 0 gives none.
func Score(run *results.Run, taskName string, recs []records.Record, resamples int, seed uint64) ([]results.Cell, error) {
	t, ok := All[taskName]
	if !ok {
		return nil, fmt.Errorf("task %q is not known", taskName)
	}
	recs = slices.Clone(recs)
	slices.SortFunc(recs, records.ByIndex)
	var cells []results.Cell
	for _, d := range run.Datasets {
		of := slices.DeleteFunc(slices.Clone(recs), func(r records.Record) bool { return r.Dataset != d.Name })
		for _, m := range run.Methods {
			for _, r := range of {
				if _, ok := r.Methods[m.Name]; !ok {
					return nil, fmt.Errorf("the record of %s in %s lacks method %q", r.ID, d.Name, m.Name)
				}
			}
			made, err := t.Score(Context{run, d, m.Name, resamples, seed}, of)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", d.Name, m.Name, err)
			}
			said := map[string]bool{} // what holds for all cells of the method is said once
			for _, c := range made {
				c.Dataset, c.Method, c.Task = d.Name, m.Name, taskName
				c.Counts = withSamples(c.Counts, run, d, len(of))
				if d.Official > 0 && len(of) != d.Official {
					c.Warnings = append(c.Warnings, fmt.Sprintf("%d images, not the %d of the official split %q", len(of), d.Official, d.Split))
				}
				c.Warnings = slices.DeleteFunc(c.Warnings, func(w string) bool {
					again := said[w]
					said[w] = true
					return again
				})
				cells = append(cells, c)
			}
		}
	}
	return cells, nil
}

// withSamples adds to a cell's counts the samples of the split that are not behind its scores: skipped, because they were not
// planned (--limit, --only); failed; missing, because the run was interrupted or is one shard of several.
func withSamples(counts map[string]int, run *results.Run, d results.Dataset, measured int) map[string]int {
	if counts == nil {
		counts = map[string]int{}
	}
	planned, err := records.ParseRanges(d.Samples)
	if err != nil || d.Samples == "" {
		return counts // a run that does not say what it planned
	}
	failed := run.Failed(d.Name)
	counts["skipped"] = max(0, d.Images-len(planned))
	counts["failed"] = failed
	counts["missing"] = max(0, len(planned)-measured-failed)
	return counts
}
