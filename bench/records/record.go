package records

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"ovbench/metrics"
)

// Record is what one sample left behind: all that scores are computed from.
type Record struct {
	Dataset string              `json:"dataset"`
	Index   int                 `json:"index"` // in the split
	ID      string              `json:"id"`
	Methods map[string]Evidence `json:"methods,omitempty"` // by name
	Tags    []int8              `json:"tags,omitempty"`    // multilabel: 1 present, 2 difficult, by class
	Size    int64               `json:"size,omitempty"`    // of the evidence of every method, see [Evidence.Size]
	Picture string              `json:"picture,omitempty"` // digest of the picture as it was read
	Truth   string              `json:"truth,omitempty"`   // digest of what was known of it
	Stage   string              `json:"stage,omitempty"`   // where a failed sample failed
	Error   string              `json:"error,omitempty"`

	kept *kept // where Methods are, if they are not in memory; see [Record.Evidence]
}

// head is the record without evidence.
func (r Record) head() Record {
	r.Methods, r.kept = nil, nil
	return r
}

// line is the record as files have it.
func (r Record) line() ([]byte, error) {
	if r.kept != nil {
		return r.kept.read(0, r.kept.size)
	}
	return json.Marshal(r)
}

// Fail records that a sample could not be measured. Nothing else of it is kept.
func (r *Record) Fail(stage string, err error) {
	r.Methods, r.Tags, r.Size, r.Stage, r.Error, r.kept = nil, nil, 0, stage, err.Error(), nil
}

// Check says why a record cannot be what a run left: each method has evidence of the same truth, so it is equally large
// for all.
func (r Record) Check() error {
	first := ""
	for _, m := range slices.Sorted(maps.Keys(r.Methods)) {
		if first == "" {
			first = m
		}
		want, of := r.Methods[first].Size(), first
		if r.Size > 0 {
			want, of = r.Size, "the sample"
		}
		if got := r.Methods[m].Size(); got != want {
			return fmt.Errorf("the record of %s has evidence of %d for %s and of %d for %s", r.ID, got, m, want, of)
		}
	}
	return nil
}

// Size is how much of the truth the evidence is of: pixels of label maps, else judgements and values.
func (e Evidence) Size() int64 {
	n := e.Confusion.Pixels() + int64(
		len(e.Explain)+len(e.Points)+len(e.PointsIn)+len(e.Energy)+len(e.Boxes)+len(e.Masks)+len(e.Squared)+len(e.Cosines))
	if f := e.Faithfulness; f != nil {
		n += int64(len(f.RISE.Deletion) + len(f.RISE.Insertion) + len(f.GradECLIP.Deletion) + len(f.GradECLIP.Insertion))
	}
	return n
}

// Evidence is what one method left behind on one sample. A task fills in its own part.
type Evidence struct {
	Confusion    metrics.Sparse                       `json:"confusion,omitempty"`             // segmentation
	Boundary     metrics.AreaRecord                   `json:"boundary,omitempty"`              // segmentation: the boundaries of classes
	Instances    *Instances                           `json:"instances,omitempty"`             // segmentation: things of Cityscapes
	Explain      []metrics.ExplainRecord              `json:"explain,omitempty"`               // explain: one per class present
	Points       []metrics.PointRecord                `json:"points,omitempty"`                // explain: the pointing game, tolerance 15
	PointsIn     []metrics.PointRecord                `json:"points_in,omitempty"`             // explain: the point must lie inside of the mask
	Energy       []metrics.EnergyRecord               `json:"energy,omitempty"`                // explain
	Boxes        []metrics.PointRecord                `json:"points_boxes,omitempty"`          // explain: the pointing game on boxes
	Masks        []metrics.PointRecord                `json:"points_masks,omitempty"`          // explain: the pointing game on masks of things
	Squared      []metrics.ImageNetSegmentationRecord `json:"imagenet_segmentation,omitempty"` // explain: one per class present
	Flaws        []string                             `json:"flaws,omitempty"`                 // explain: of maps that are negative or not numbers
	Judged       []metrics.PointIoURecord             `json:"judged_points,omitempty"`         // explain: one per class with judged points
	Prompts      []metrics.PromptRecord               `json:"prompts,omitempty"`               // interactive: one per class present
	Faithfulness *Faithfulness                        `json:"faithfulness,omitempty"`
	Cosines      []float32                            `json:"cosines,omitempty"` // multilabel: of the class token with each query
}

// Instances are the things of one image of Cityscapes. None in a list that is there means that the image has no things,
// not that nobody looked.
type Instances struct {
	Found metrics.CityscapesInstances `json:"found"`
}

// Faithfulness is what one method left behind of one image.
type Faithfulness struct {
	Class     int    `json:"class"` // that is explained
	RISE      Curves `json:"rise"`
	GradECLIP Curves `json:"grad_eclip"`
	Constant  bool   `json:"constant,omitempty"` // the map has one value: the order of pixels says nothing
	Flaw      string `json:"flaw,omitempty"`     // why: constant, negative or NaN
}

// Curves are scores after more and more pixels; their seven digits bring a record of a thousand points below 10 kB.
type Curves struct {
	Deletion  []float32 `json:"deletion"`
	Insertion []float32 `json:"insertion"`
}

// ByIndex is the order in which samples are scored.
func ByIndex(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Index, b.Index))
}

// Last keeps the last record of each sample: a resumed run repeats those that failed.
func Last(recs []Record) []Record {
	at := map[Key]int{}
	var out []Record
	for _, rec := range recs {
		key := rec.Key()
		if i, ok := at[key]; ok {
			out[i] = rec
			continue
		}
		at[key] = len(out)
		out = append(out, rec)
	}
	return out
}

// Key tells a record apart from those of other samples.
func (r Record) Key() Key { return Key{r.Dataset, r.Index} }
