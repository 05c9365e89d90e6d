package datasets

import (
	"fmt"
	"slices"

	"ovbench/datasets/labelmap"
)

// A Numbering says how the values of label maps from elsewhere are read: a truth's Ignore does not count, and Classes
// of them are stored from 0 on, or with ReduceZero from 1 on. Predictions are numbered from 0.
type Numbering struct {
	Classes, Ignore int
	ReduceZero      bool
	Sure            bool // somebody asked for Ignore by name
	PredFromOne     bool // predictions are numbered as the truth
}

// Mistakes finds what the stored values of truth and predictions as a whole give away. An error is a reading under
// which no score means anything.
func (n Numbering) Mistakes(truth, pred labelmap.Histogram) (warnings []string, err error) {
	t, p := truth.Values(), pred.Values()
	ignore := uint16(n.Ignore)
	masks := n.Ignore > 1 && len(t) > 1 && slices.Equal(t, []uint16{0, ignore}) && !n.ReduceZero
	switch {
	case masks && n.Classes == 2 && !n.Sure:
		return nil, fmt.Errorf("the truth holds 0 and %d alone, and %[1]d is ignored, so that nothing is of class "+
			"1: these are masks; "+
			"store class 1 as 1 in truth and predictions, or say --ignore %[1]d if those pixels really do not "+
			"count", n.Ignore)
	case n.Classes == 2 && len(p) > 1 && slices.Equal(p, []uint16{0, 255}):
		return nil, fmt.Errorf("the predictions hold 0 and 255 alone, and 255 is none of the 2 classes: these are " +
			"masks; store class 1 as 1")
	case masks && n.Classes > 1:
		warnings = append(warnings, fmt.Sprintf("the truth holds no value of a class but 0, and the ignored %d: if "+
			"these are masks, store class 1 as 1", n.Ignore))
	}
	return append(warnings, n.fromOne(t, p)...), nil
}

// fromOne says where values seem to be numbered from 1 and are read from 0.
func (n Numbering) fromOne(truth, pred []uint16) (warnings []string) {
	last := uint16(n.Classes)
	begins := func(values []uint16) bool { return len(values) > 1 && values[0] == 1 }
	beyond := func(values []uint16) bool { return slices.Contains(values, last) }
	if begins(pred) && beyond(pred) && !n.PredFromOne {
		text := fmt.Sprintf("no pixel is predicted as 0 and some as %d, one more than the last class: the "+
			"predictions are numbered from 1, so that every class is scored as its neighbour; ", last)
		if n.ReduceZero {
			text += "--convention ade20k with --reduce-zero-label reads that, else number them from 0"
		} else {
			text += "number them from 0"
		}
		warnings = append(warnings, text)
	}
	values := slices.DeleteFunc(slices.Clone(truth), func(v uint16) bool { return int(v) == n.Ignore })
	if begins(values) && !n.ReduceZero && !beyond(values) && (len(pred) == 0 || pred[0] == 0) {
		warnings = append(warnings, "no pixel of the truth is 0: if it counts classes from 1, every class is scored "+
			"as its neighbour; say --reduce-zero-label if 0 means nothing there")
	}
	return warnings
}

// OneOff is a remedy for a truth with a value that no class has, "" if there is none: values 1 to classes need
// reduce_zero_label.
func (n Numbering) OneOff(truth labelmap.Map, value uint16) string {
	if n.ReduceZero || int(value) != n.Classes || slices.Contains(truth.Pix, 0) {
		return ""
	}
	return "; the truth seems to count classes from 1: say --reduce-zero-label"
}

// LabelIDMistakes finds what the values of a truth that should hold Cityscapes' label ids give away.
func LabelIDMistakes(truth labelmap.Histogram) []string {
	switch values := truth.Values(); {
	case slices.Equal(values, []uint16{0}):
		return []string{"all pixels of the truth are 0, unlabeled: the truth of the test split is not public; use val"}
	case areTrainIDs(truth):
		return []string{"no value of the truth is above 18, as most label ids are: it looks like train ids, which " +
			"--classes 19 scores"}
	}
	return nil
}
