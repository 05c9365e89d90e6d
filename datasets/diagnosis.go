package datasets

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"ovbench/datasets/labelmap"
)

// maxProbes bounds, within a factor of two, how many label files are read a second time as they are stored.
const maxProbes = 64

// A Diagnosis finds the mistakes that the labels of a data set as a whole give away: values numbered from 1, masks,
// label maps of another data set. Its state is small, and all methods but [Diagnosis.Faults] may be called from any
// goroutine.
type Diagnosis struct {
	ds   Dataset
	info Info

	mu      sync.Mutex
	samples int
	images  []int
	pixels  []int64
	ignored int64
	strays  map[uint16]*Stray
	strayed int // samples with strays
	failed  int // samples that could not be read

	// Of the samples probed: stored values with their pixels, and whether 0 is ignored and k is label k-1 in all of
	// them.
	stored  labelmap.Histogram
	probed  int
	reduced bool
}

// NewDiagnosis is that of an opened data set, yet without samples.
func NewDiagnosis(ds Dataset) *Diagnosis {
	info := ds.Info()
	return &Diagnosis{ds: ds, info: info, images: make([]int, len(info.Classes)),
		pixels: make([]int64, len(info.Classes)),
		strays: make(map[uint16]*Stray), stored: make(labelmap.Histogram), reduced: true}
}

// Add takes up sample i, whose tags and objects are of the data set's classes. It reads some label files a second time,
// as they are stored.
func (t *Diagnosis) Add(i int, s Sample) {
	t.add(s)
	if i%(t.ds.Len()/maxProbes+1) == 0 {
		t.probe(s)
	}
}

// Look is [Diagnosis.Add] that always reads the label file a second time.
func (t *Diagnosis) Look(s Sample) {
	t.add(s)
	t.probe(s)
}

// Faults are the mistakes found so far, each with its remedy.
func (t *Diagnosis) Faults() []Fault {
	list := make(faultList)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.diagnose(list, t.samples+t.failed) // a part, or a run that goes on, does not see all
	return list.sorted()
}

// add counts a sample whose tags and objects are of the data set's classes.
func (t *Diagnosis) add(s Sample) {
	pixels, ignored, other := make([]int64, len(t.pixels)), int64(0), 0
	for _, v := range s.Labels.Pix {
		switch {
		case int(v) < len(pixels):
			pixels[v]++
		case v == labelmap.Ignore:
			ignored++
		default:
			other++
		}
	}
	has := make([]bool, len(t.images))
	for c, n := range pixels {
		has[c] = n > 0
	}
	for c, tag := range s.Tags {
		has[c] = has[c] || tag == Present
	}
	for _, o := range s.Objects {
		has[o.Class] = true
	}
	for _, p := range s.Points {
		has[p.Class] = has[p.Class] || p.On
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples++
	t.ignored += ignored
	for c := range has {
		t.pixels[c] += pixels[c]
		if has[c] {
			t.images[c]++
		}
	}
}

// Fail counts a sample that could not be read, and its strays.
func (t *Diagnosis) Fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
	var strays *labelmap.Strays
	if !errors.As(err, &strays) {
		return
	}
	t.strayed++
	for v, n := range strays.Pixels {
		if t.strays[v] == nil {
			t.strays[v] = &Stray{Value: v}
		}
		t.strays[v].Pixels += int64(n)
		t.strays[v].Samples++
	}
}

// probe compares the labels of a sample with what its file stores, if that is a PNG of numbers.
func (t *Diagnosis) probe(s Sample) {
	if !strings.EqualFold(filepath.Ext(s.LabelPath), ".png") {
		return
	}
	l, err := labelmap.Read(s.LabelPath)
	if err != nil || len(l.Pix) != len(s.Labels.Pix) {
		return
	}
	reduced := true
	for i, v := range l.Pix {
		label := s.Labels.Pix[i]
		reduced = reduced && (v == 0 && label == labelmap.Ignore || v > 0 && label == v-1 || v == 255 &&
			label == labelmap.Ignore)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.probed++
	t.reduced = t.reduced && reduced
	t.stored.Add(l)
}

func (t *Diagnosis) inspection() Inspection {
	out := Inspection{Samples: t.samples, Images: t.images, Pixels: t.pixels, Ignored: t.ignored}
	for _, s := range t.strays {
		out.Strays = append(out.Strays, *s)
	}
	slices.SortFunc(out.Strays, func(a, b Stray) int { return int(a.Value) - int(b.Value) })
	return out
}

// A labelEncoding is the numbers that the label files of a data set store.
type labelEncoding struct {
	name  string
	first uint16
	last  uint16
	void  bool // 255 occurs too
}

// labelEncodings are those in circulation, the narrowest first.
var labelEncodings = []labelEncoding{
	{"Cityscapes trainIds", 0, 18, true},
	{"PASCAL VOC", 0, 20, true},
	{"Cityscapes labelIds", 0, 33, false},
	{"PASCAL Context with 59 classes", 0, 59, true},
	{"COCO-Object with background", 0, 80, true},
	{"ADE20K with 150 classes", 0, 150, false},
	{"COCO-Stuff with 171 classes", 0, 170, true},
	{"COCO-Stuff stuffthingmaps", 0, 181, true},
	{"PASCAL Context with 459 classes", 0, 459, false},
	{"ImageNet-S", 0, 1000, false},
}

// fits says whether all of the values can be of the encoding.
func (e labelEncoding) fits(values []uint16) bool {
	return !slices.ContainsFunc(values, func(v uint16) bool {
		return (v < e.first || v > e.last) && !(e.void && v == 255)
	})
}

// diagnose names the mistakes that label values give away, of so many samples seen. Strays in a few of them are damage,
// not a mistake.
func (t *Diagnosis) diagnose(list faultList, seen int) {
	if kind, text := t.otherLabels(t.info, seen); text != "" {
		list.add(kind, t.strayed, text)
	}
	if t.probed == 0 {
		return
	}
	path := ""
	if l, ok := t.ds.(Located); ok {
		_, path = l.Files(0)
	}
	if t.blank() {
		list.add(BlankLabels, t.samples, fmt.Sprintf("all pixels of %d label maps looked at are 0", t.probed))
		return
	}
	if strings.Contains(filepath.Base(path), "labelIds") && t.samples > 0 && areTrainIDs(t.stored) {
		list.add(TrainIDs, t.samples, fmt.Sprintf("no pixel of %d label maps looked at is vegetation, sky, person "+
			"or car (21, 23, 24, 26), and none is above 18", t.probed))
	}
	switch {
	case t.masks() != "" && len(t.info.Classes) > 2 && !t.info.Background && t.any(0):
		list.maybe(OnlyBackground, t.samples, t.masks())
	case t.masks() != "":
		list.add(OnlyBackground, t.samples, t.masks())
	case t.onlyBackground() != "":
		list.add(OnlyBackground, t.samples, t.onlyBackground())
	case t.fromOne() != "":
		list.maybe(FromOne, t.samples, t.fromOne())
	default:
		text := t.reducedTwice(t.info, seen)
		switch {
		case text != "" && seen == t.info.Official:
			list.add(ReduceZero, t.samples, text)
		case text != "":
			list.maybe(ReduceZero, t.samples, text)
		}
	}
}

// blank says that nothing but 0 is stored, and that it is of no class or that the split's truth is withheld.
func (t *Diagnosis) blank() bool {
	values := t.stored.Values()
	return len(values) == 1 && values[0] == 0 && t.samples > 0 && (t.info.Split == "test" || !t.any(0))
}

// any says whether a pixel is of class first or a later one.
func (t *Diagnosis) any(first int) bool {
	return slices.ContainsFunc(t.pixels[min(first, len(t.pixels)):], func(n int64) bool { return n > 0 })
}

// masks says so if only class 0 occurs, beside 255 that is ignored.
func (t *Diagnosis) masks() string {
	if !slices.Equal(t.stored.Values(), []uint16{0, 255}) || t.any(1) || len(t.pixels) < 2 {
		return ""
	}
	return fmt.Sprintf("the %d label maps looked at hold 0 and 255 alone, and 255 is read as ignore: where masks are "+
		"stored so, store class 1 as 1", t.probed)
}

// fromOne says so if a folder's label maps never store 0, and the last class never occurs with them.
func (t *Diagnosis) fromOne() string {
	values := t.stored.Values()
	if t.info.Name != "folder" || t.reduced || len(values) == 0 || values[0] != 1 || t.pixels[0] > 0 {
		return ""
	}
	return fmt.Sprintf("no pixel of %d label maps is 0, class %q: they may count classes from 1, so that every "+
		"label is one off", t.samples, t.info.Classes[0])
}

// otherLabels names the data sets whose numbers the strays can be, or the shift by one.
func (t *Diagnosis) otherLabels(info Info, samples int) (FaultKind, string) {
	if t.strayed == 0 || 2*t.strayed < samples {
		return "", ""
	}
	values := slices.Sorted(maps.Keys(t.strays))
	if len(values) == 1 && int(values[0]) == len(info.Classes) && !info.Background {
		return FromOne, fmt.Sprintf("%d, one more than the last class, is the only value out of range: the files count "+
			"classes from 1 and need reduce_zero_label", values[0])
	}
	if values[len(values)-1] >= 24000 && values[len(values)-1] <= 33999 {
		return OtherLabels, "values of 24000 to 33999 are Cityscapes instanceIds, 1000 x class + number"
	}
	if by := stretched(values); by > 1 && int(values[len(values)-1]) < by*len(info.Classes) {
		return OtherLabels, fmt.Sprintf("all values out of range are multiples of %d: class numbers may have been stretched to "+
			"be seen; if so, divide by it", by)
	}
	var names []string
	for _, e := range labelEncodings {
		if e.fits(values) && len(names) < maxExamples {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return "", ""
	}
	return OtherLabels, fmt.Sprintf("values %s out of range fit %s", valueRanges(values), strings.Join(names, ", "))
}

// stretched is the largest number that divides three values or more, as it does where grey was spread over all of a
// byte or of 16 bits; else 0.
func stretched(values []uint16) (by int) {
	for _, v := range values {
		for a := int(v); a != 0; {
			by, a = a, by%a
		}
	}
	if len(values) < 3 {
		return 0
	}
	return by
}

// areTrainIDs is for files that should store Cityscapes labelIds 0..33, most pixels of which are above 18.
func areTrainIDs(stored labelmap.Histogram) bool {
	classes := false
	for v := range stored {
		if v > 18 && v != 255 {
			return false
		}
		classes = classes || v <= 18
	}
	return classes
}

// onlyBackground says so if no pixel is of a class.
func (t *Diagnosis) onlyBackground() string {
	first := 0
	if t.info.Background {
		first = 1
	}
	if t.samples == 0 || t.any(first) {
		return ""
	}
	return fmt.Sprintf("no pixel of %d label maps is of a class", t.samples)
}

// reducedTwice finds files that count classes from 0 behind reduce_zero_label: the last class never occurs, though the
// split is whole, and 0 does.
func (t *Diagnosis) reducedTwice(info Info, samples int) string {
	last := len(info.Classes) - 1
	whole := samples == info.Official || samples >= 1000
	if !t.reduced || !whole || info.Background || t.pixels[last] > 0 || t.stored[0] == 0 || len(t.strays) > 0 {
		return ""
	}
	var all int64
	for _, n := range t.stored {
		all += n
	}
	return fmt.Sprintf("stored 0, %.0f %% of the pixels, is ignored, and %d, the last class %q, never occurs: the "+
		"files may count classes from 0 already",
		100*float64(t.stored[0])/float64(all), last+1, info.Classes[last])
}

// valueRanges writes ascending values as "19..33, 255".
func valueRanges(values []uint16) string {
	var parts []string
	for i := 0; i < len(values); i++ {
		first := values[i]
		for i+1 < len(values) && values[i+1] == values[i]+1 {
			i++
		}
		if values[i] > first {
			parts = append(parts, fmt.Sprintf("%d..%d", first, values[i]))
		} else {
			parts = append(parts, fmt.Sprint(first))
		}
	}
	return strings.Join(parts, ", ")
}
