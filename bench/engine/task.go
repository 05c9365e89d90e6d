package engine

import (
	"fmt"
	"slices"

	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
)

// Evidence is what one method left behind on one sample. A task fills in its own part.
type Evidence struct {
	Confusion    Confusion                            `json:"confusion,omitempty"`             // segmentation
	Boundary     []Area                               `json:"boundary,omitempty"`              // segmentation: the boundaries of classes
	Instances    *Instances                           `json:"instances,omitempty"`             // segmentation: things of Cityscapes
	Explain      []metrics.ExplainRecord              `json:"explain,omitempty"`               // explain: one per class present
	Points       []metrics.PointRecord                `json:"points,omitempty"`                // explain: the pointing game, tolerance 15
	PointsIn     []metrics.PointRecord                `json:"points_in,omitempty"`             // explain: the point must lie inside of the mask
	Energy       []metrics.EnergyRecord               `json:"energy,omitempty"`                // explain
	Boxes        []metrics.PointRecord                `json:"points_boxes,omitempty"`          // explain: the pointing game on boxes
	Masks        []metrics.PointRecord                `json:"points_masks,omitempty"`          // explain: the pointing game on masks of things
	Squared      []metrics.ImageNetSegmentationRecord `json:"imagenet_segmentation,omitempty"` // explain: one per class present
	Faithfulness *Faithfulness                        `json:"faithfulness,omitempty"`
	Cosines      []float32                            `json:"cosines,omitempty"` // multilabel: of the class token with each query
}

// similarity is one image's cosines with all queries.
type similarity struct {
	runners.Maps           // empty where the network saw the picture in windows
	empty        []float32 // [N] with the empty text, where feature surgery needs it
	// stitched is the map of the whole picture.
	stitched func() resample.Mosaic
	refiner  func(w, h int) *resample.PAMR
}

// reading is what a task made of a sample for one method.
type reading struct {
	evidence Evidence
	labels   []uint16 // the predicted label map, of tasks that make one
}

// task is a way to measure samples and to score what was measured.
type task interface {
	// check says why the truth of a sample does not do.
	check(s datasets.Sample) error
	// read measures one sample for one method.
	read(j *job, m *methodOf, index int, s datasets.Sample, sim similarity) (reading, error)
	// heat is what a picture of one class shows: values by patch [rows·cols].
	heat(j *job, m *methodOf, class int, sim similarity) ([]float32, error)
	// score turns the records of one data set and method, in the order of samples, into cells.
	score(c cellContext, recs []Record) ([]results.Cell, error)
}

// tagger is a task whose records hold which classes are in a sample.
type tagger interface {
	tags(j *job, s datasets.Sample) []int8
}

// tasks by the names suites use.
var tasks = map[string]task{"segmentation": segmentation{}, "explain": explain{}, "multilabel": multilabel{}, "faithfulness": faithfulness{}}

// cellContext is what scores depend on beside the records.
type cellContext struct {
	run       *results.Run
	dataset   results.Dataset
	method    string
	resamples int
	seed      uint64
}

// methodOf is a method of a plan with the feature surgery of its maps.
type methodOf struct {
	name string
	form methods.Redundant
}

// field is a field of the protocol as it held on the data set.
func (c cellContext) field(key string) any {
	if v, ok := c.dataset.Protocol.Fields[key]; ok {
		return v
	}
	return c.run.Protocol.Fields[key]
}

// interval adds a bootstrap interval to a score, if the statistic has one.
func (c cellContext) interval(s *results.Score, images int, stat metrics.Statistic) {
	if c.resamples < 1 || images < 2 {
		return
	}
	iv, err := metrics.Resample(images, c.resamples, c.seed, level, stat)
	if err != nil {
		return // undefined on these images: the score stands without
	}
	s.Low, s.High, s.Level, s.Resamples = &iv.Low, &iv.High, level, iv.Resamples
}

// few is a warning about intervals of few images, or none.
func (c cellContext) few(images int) []string {
	if images > 1 && images < 100 && c.resamples > 0 {
		return []string{fmt.Sprintf("intervals from %d images are rough; a hundred or more make them useful", images)}
	}
	return nil
}

// classColumns reduces similarities [tokens, T] to classes: the largest of a class's queries.
func (j *job) classColumns(cos []float32, class int) []float32 {
	texts := len(j.texts)
	out := make([]float32, len(cos)/texts)
	first := true
	for q, c := range j.rule.Classes {
		if c != class {
			continue
		}
		for i := range out {
			if v := cos[i*texts+q]; first || v > out[i] {
				out[i] = v
			}
		}
		first = false
	}
	return out
}

// surgery is the patches of sim after feature surgery, new memory.
func (j *job) surgery(form methods.Redundant, sim similarity) ([]float32, error) {
	cos := slices.Clone(sim.Patches)
	return cos, methods.FeatureSurgery(form, sim.Global, cos, len(j.texts), sim.empty)
}
