// Package tasks answers: what is measured of a sample, and what is it worth?
//
// Each task (segmentation, explain, multilabel, faithfulness, interactive) has a file of its name, with an
// implementation of [Task], which says what it needs, what its records hold and which scores follow from them.
// [Score] turns the records of a run into cells with intervals, and [Finish] writes them. Nothing here runs a
// network: a [View] brings what one saw.
package tasks

import (
	"slices"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
)

// Task is a way to measure samples and to score what was measured.
type Task interface {
	// Needs says what the task asks of a run.
	Needs() Needs
	// Check says why the truth of a sample does not do.
	Check(s datasets.Sample) error
	// Measure measures one sample for all methods.
	Measure(v *View) (Measured, error)
	// Cells are the scores of one data set and method, by convention; recs are in the order of samples. What they leave on
	// disk is read once, and only what scores need of it is kept.
	Cells(c Context, recs []records.Record) ([]Cell, error)
}

// Needs is what a task asks of a run.
type Needs struct {
	Whole    bool // maps of the whole picture at once, neither stitched nor refined
	Probe    bool // the unchanged model, to show it changed pictures: all of one size, without padding
	Surgery  bool // feature surgery on the similarities of maps
	Global   bool // a token of the whole picture
	Compares bool // values of several texts that may be compared with each other
	// Classes are those whose maps Measure reads of a sample, which no method has seen yet; nil is all. A map may cost a
	// backward pass.
	Classes   func(v *View) ([]int, error)
	Segmenter bool // an interactive segmenter, if the run has one
	Pixels    bool // a class for every pixel: a label map does
}

// All holds the tasks by the names that suites use.
var All = map[string]Task{
	"segmentation": segmentation{}, "explain": explain{}, "multilabel": multilabel{}, "faithfulness": faithfulness{},
	"interactive": interactive{},
}

// Target is a data set of a run as tasks see it. It is not changed by them.
type Target struct {
	Dataset  datasets.Dataset
	Info     datasets.Info
	Protocol configs.Protocol // as it holds on this data set
	Texts    []string         // all queries, class by class
	Rule     resample.Rule
	Whole    bool // the network sees pictures at once, not in windows
}

// View is one sample as all methods of a run see it.
type View struct {
	*Target
	Index   int // in the split
	Sample  datasets.Sample
	Methods []Seen

	Pixels        []float32  // [3, Height, Width] as the network takes them, 0..255
	Grey          [3]float32 // the colour that the protocol normalises to 0
	Height, Width int
	// Cosines shows images like Pixels to the unchanged model: those of the class token with every query [T], of each
	// image. It is nil unless the task needs it.
	Cosines func(images [][]float32) ([][]float32, error)
	// Segment decodes a prompt on the sample's picture. It is nil where the run has no segmenter.
	Segment func(sam.Prompt) (*sam.Masks, error)
	// Refine corrects a label map by prompts, where the protocol says so.
	Refine    func(sam.LabelMap) error
	KeepMasks bool // Measured wants the prompts and their masks
}

// Seen is what one method saw of a sample.
type Seen struct {
	Name string
	Form methods.FeatureSurgery // of the feature surgery of its maps
	// Ending makes maps of values.
	Ending methods.Ending
	Similarity
}

// Map is the map of values by patch at h x w pixels, and why it shows nothing.
func (s *Seen) Map(values []float32, h, w int) ([]float32, methods.Flaw) {
	return s.Ending.Map(values, s.Rows, s.Cols, h, w)
}

// Similarity is one image's cosines with all queries.
type Similarity struct {
	runners.Maps           // empty where the network saw the picture in windows
	Empty        []float32 // [N] with the empty text, where feature surgery needs it
	// Stitched is the map of the whole picture.
	Stitched func() resample.Mosaic
	Refiner  func(w, h int) *resample.PAMR
	// Experts reads the picture by the texts of one class's experts after the other, and stops at an error of hear; nil
	// where there are none. Maps are as Stitched gives them.
	Experts func(hear func(class int, m resample.Mosaic) error) error
	// Settle has the method's last word on the label map of a picture of w x h pixels; nil for none.
	Settle func(labels []uint16, w, h int)
}

// Measured is what a task made of a sample.
type Measured struct {
	Evidence []records.Evidence // of each method
	Labels   [][]uint16         // the predicted label map of each method; nil for tasks that make none
	Tags     []int8             // which classes are there, of tasks that rank images
	Prompts  [][]Prompted       // of each method the prompts and masks, if they are kept
}

// each measures a sample method by method.
func (v *View) each(measure func(s *Seen) (records.Evidence, error)) (m Measured, err error) {
	m.Evidence = make([]records.Evidence, len(v.Methods))
	for i := range v.Methods {
		if m.Evidence[i], err = measure(&v.Methods[i]); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Saliency is what a picture of one class shows: values by patch [rows·cols], after feature surgery where the task
// wants it.
func Saliency(t Task, target *Target, s *Seen, class int) ([]float32, error) {
	if !t.Needs().Surgery {
		return target.classColumns(s.Patches, class), nil
	}
	return target.surgical(s, class)
}

// score is how the model scores texts, at the protocol's scale where it is a softmax.
func (t *Target) score() methods.Score {
	return methods.Score{Scale: t.Rule.Scale, Sigmoid: t.Rule.Sigmoid, Bias: t.Rule.Bias}
}

// surgical is the map of one class after feature surgery, by patch.
func (t *Target) surgical(s *Seen, class int) ([]float32, error) {
	cos := slices.Clone(s.Patches)
	if err := s.Form.Apply(s.Global, cos, len(t.Texts), s.Empty, t.score()); err != nil {
		return nil, err
	}
	return t.classColumns(cos, class), nil
}

// classColumns reduces similarities [tokens, T] to classes: the largest of a class's queries.
func (t *Target) classColumns(cos []float32, class int) []float32 {
	texts := len(t.Texts)
	out := make([]float32, len(cos)/texts)
	first := true
	for q, c := range t.Rule.Classes {
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

// Context is what scores depend on beside the records.
type Context struct {
	Run     *results.Run
	Dataset results.Dataset
	Method  string
}

// field is a field of the protocol as it held on the data set.
func (c Context) field(key string) any {
	if v, ok := c.Dataset.Protocol.Fields[key]; ok {
		return v
	}
	return c.Run.Protocol.Fields[key]
}
