package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mat"
)

// A contextTable maps the original numbers 0..459 to labels.
type contextTable [460]uint16

// newContextTable serves the classes of info. Numbers outside of the 59 classes are background for them.
func newContextTable(info Info) *contextTable {
	var t contextTable
	if len(info.Classes) == len(contextNames) {
		for number := range t {
			t[number] = uint16(number) - 1
		}
		t[0] = labelmap.Ignore
		return &t
	}
	base := labelmap.NewTable(len(info.Classes), 255, !info.Background)
	for number := range t {
		t[number] = base[slices.Index(context59Numbers, uint16(number))+1]
	}
	return &t
}

// apply maps l in place.
func (t *contextTable) apply(l labelmap.Map) error {
	for i, v := range l.Pix {
		if int(v) >= len(t) {
			return fmt.Errorf("%w: %d at x %d, y %d; allowed are 0..%d", labelmap.ErrValue, v, i%l.W, i/l.W, len(t)-1)
		}
		l.Pix[i] = t[v]
	}
	return nil
}

func openContextDetail(t *contextTree) (contextLabels, error) {
	d, err := openDetail(t.path, newContextTable(t.info))
	if err != nil {
		return nil, err
	}
	if len(t.info.Classes) == len(contextNames) {
		t.info.Notes = append(t.info.Notes, fmt.Sprintf("only %d of the %d classes are annotated in %s", d.classes,
			len(contextNames), t.path))
	}
	if t.ids == nil {
		t.ids, err = d.ids(t.Split)
	}
	return d, err
}

// contextMats are the original label maps.
type contextMats struct {
	dir   string
	table *contextTable
}

func openContextMat(t *contextTree) (contextLabels, error) {
	return contextMats{t.path, newContextTable(t.info)}, nil
}

func (m contextMats) labelPath(id string) string { return filepath.Join(m.dir, id+".mat") }

func (m contextMats) labels(id string) (labelmap.Map, error) {
	l, err := mat.Read(m.labelPath(id), "LabelMap")
	if err != nil {
		return l, err
	}
	return l, in(m.labelPath(id), m.table.apply(l))
}

// contextPNGs are label maps with 0 background and the 59 classes from 1 on.
type contextPNGs struct {
	dir   string
	table *labelmap.Table
}

func (p contextPNGs) labelPath(id string) string { return filepath.Join(p.dir, id+".png") }

func (p contextPNGs) labels(id string) (labelmap.Map, error) {
	l, err := labelmap.Read(p.labelPath(id))
	if err != nil {
		return l, err
	}
	return l, in(p.labelPath(id), p.table.Apply(l))
}

// contextOrder holds what each stored number of a PNG file means, an index of context60Names; -1 must not occur.
//
// Two orders of the 59 classes are in circulation: mmsegmentation's, which is alphabetical, and that of 59_labels.txt
// with VOC's classes first. They differ in all numbers but 0, 1 and 56..59, so that mixing them up gives a plausible,
// wrong score. Without any sign the order is taken to be mmsegmentation's. The signs are:
//
//   - a list of names, in Options.LabelNames or beside the PNG files: the numbers are re-mapped to our order by it;
//   - else VOC's own label maps, where VOC2010 or VOC2012 has SegmentationClass: if they contradict mmsegmentation's
//     order, the tree is refused.
//
// In a tree with neither, another order cannot be detected.
type contextOrder [256]int

// contextListNames are the lists that count if they lie beside the PNG files, and only there: a tree of the original
// .mat files has 59_labels.txt too, which says nothing of PNG files that mmsegmentation made.
var contextListNames = []string{"labels.txt", "59_labels.txt", "classes-59.txt"}

// mmsegOrder stores labels as they are.
func mmsegOrder() *contextOrder {
	var order contextOrder
	for number := range order {
		order[number] = -1
		if number < len(context60Names) {
			order[number] = number
		}
	}
	return &order
}

func openContextPNG(t *contextTree) (contextLabels, error) {
	list := t.LabelNames
	for _, name := range contextListNames {
		if p := filepath.Join(t.path, name); list == "" && exists(p) {
			list = p
		}
	}
	order := mmsegOrder()
	if list == "" {
		if err := t.checkOrder(); err != nil {
			return nil, err
		}
	} else {
		var err error
		if order, err = readContextOrder(list); err != nil {
			return nil, err
		}
		if *order != *mmsegOrder() {
			t.info.Notes = append(t.info.Notes, "label numbers are re-mapped from the order of "+list)
		}
	}
	base := labelmap.NewTable(len(t.info.Classes), 255, !t.info.Background)
	table := *base
	for number, label := range order[:255] {
		table[number] = labelmap.Stray
		if label >= 0 {
			table[number] = base[label]
		}
	}
	return contextPNGs{t.path, &table}, nil
}

// readContextOrder reads lines "number: name", or names alone that count from 1, or from 0 where background is first.
// Without a line for background it is 0.
func readContextOrder(path string) (*contextOrder, error) {
	lines, err := files.Lines(path)
	if err != nil {
		return nil, err
	}
	order := new(contextOrder)
	for number := range order {
		order[number] = -1
	}
	seen := make([]bool, len(context60Names))
	next := 1
	for i, line := range lines {
		if line == "" {
			continue
		}
		number, name, numbered := strings.Cut(line, ":")
		if !numbered {
			name = line
			if strings.EqualFold(name, context60Names[0]) && next == 1 {
				next = 0
			}
			number = strconv.Itoa(next)
			next++
		}
		label := contextLabel60(name)
		if label < 0 {
			return nil, fmt.Errorf("%s:%d: %q is none of the 59 classes or background; this list must be that of "+
				"the label maps, or be removed", path, i+1, strings.TrimSpace(name))
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 8)
		if err != nil || n == 255 || order[n] >= 0 || seen[label] {
			return nil, fmt.Errorf(`%s:%d: %q: want "number: name" with numbers 0..254, each number and name once`,
				path, i+1, line)
		}
		order[n], seen[label] = label, true
	}
	if !seen[0] && order[0] < 0 {
		order[0], seen[0] = 0, true
	}
	if missing := slices.Index(seen, false); missing >= 0 {
		return nil, fmt.Errorf("%s: no number for %q; the list must have background and all 59 classes", path,
			context60Names[missing])
	}
	return order, nil
}

// Bounds of the comparison with VOC's label maps.
const (
	contextProbes     = 16   // label maps compared
	contextCandidates = 1024 // ids looked at; one in five is in VOC's segmentation task
	contextMinPixels  = 100  // fewer say nothing
)

// contextVotes counts pixels that VOC gives a class whose number the two orders differ in.
type contextVotes struct{ pixels, mmseg, vocFirst int }

// checkOrder compares PNG files with VOC's label maps of the same images. The annotators of PASCAL Context started from
// VOC's classes, so that the two agree but for outlines.
func (t *contextTree) checkOrder() error {
	var folders []string
	for _, dir := range t.voc {
		if p := filepath.Join(dir, "SegmentationClass"); isDir(p) {
			folders = append(folders, p)
		}
	}
	if len(folders) == 0 {
		return nil
	}
	var votes contextVotes
	left := contextProbes
	for _, id := range t.ids[:min(len(t.ids), contextCandidates)] {
		if left > 0 && votes.add(contextFile(folders, id+".png"), filepath.Join(t.path, id+".png")) {
			left--
		}
	}
	switch agree := fmt.Sprintf("of %d pixels that SegmentationClass of VOC gives a class, %d agree with "+
		"mmsegmentation's order of classes and %d with VOC's classes first",
		votes.pixels, votes.mmseg, votes.vocFirst); {
	case votes.pixels < contextMinPixels:
		return nil
	case votes.vocFirst > votes.mmseg:
		return fmt.Errorf("%s: %s; to have the numbers re-mapped put 59_labels.txt of %s into this folder", t.path,
			agree, contextHomepage)
	case 4*votes.mmseg < votes.pixels:
		return fmt.Errorf("%s: %s; the numbers follow neither; they may be reduced already, but 0 must be "+
			"background and 1 aeroplane; or put a list of lines \"number: name\" as labels.txt into this folder", t.path, agree)
	}
	return nil
}

// vocInContext holds the number of VOC's classes 1..20 in mmsegmentation's order.
var vocInContext = func() (numbers [21]uint16) {
	for class := range contextVOCFirst[:20] {
		numbers[class+1] = uint16(slices.Index(context59Numbers, contextVOCFirst[class]) + 1)
	}
	return numbers
}()

// add compares one pair of label maps. It is false if that cannot be done; reading the sample will say why.
func (v *contextVotes) add(vocPath, path string) bool {
	truth, err := labelmap.Read(vocPath)
	if err != nil {
		return false
	}
	l, err := labelmap.Read(path)
	if err != nil || l.W != truth.W || l.H != truth.H {
		return false
	}
	for i, class := range truth.Pix {
		if class < 2 || int(class) >= len(vocClasses) {
			continue // background, void, and aeroplane, which is 1 in both orders
		}
		v.pixels++
		switch l.Pix[i] {
		case class:
			v.vocFirst++
		case vocInContext[class]:
			v.mmseg++
		}
	}
	return true
}
