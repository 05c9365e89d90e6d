package metrics

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// CityscapesLabel is a label of the Cityscapes data set by its id, as in *_labelIds.png.
type CityscapesLabel struct {
	Name     string
	Category string
	Ignored  bool // by the evaluation
	// InstanceSize is the mean size in pixels of an instance in the training set, which the
	// evaluation weights instances by; 0 for labels without instances.
	InstanceSize float64
}

// CityscapesLabels are the labels 0..33 with the constants of cityscapesScripts 2.3.0.
var CityscapesLabels = [...]CityscapesLabel{
	{"unlabeled", "void", true, 0},
	{"ego vehicle", "void", true, 0},
	{"rectification border", "void", true, 0},
	{"out of roi", "void", true, 0},
	{"static", "void", true, 0},
	{"dynamic", "void", true, 0},
	{"ground", "void", true, 0},
	{"road", "flat", false, 0},
	{"sidewalk", "flat", false, 0},
	{"parking", "flat", true, 0},
	{"rail track", "flat", true, 0},
	{"building", "construction", false, 0},
	{"wall", "construction", false, 0},
	{"fence", "construction", false, 0},
	{"guard rail", "construction", true, 0},
	{"bridge", "construction", true, 0},
	{"tunnel", "construction", true, 0},
	{"pole", "object", false, 0},
	{"polegroup", "object", true, 0},
	{"traffic light", "object", false, 0},
	{"traffic sign", "object", false, 0},
	{"vegetation", "nature", false, 0},
	{"terrain", "nature", false, 0},
	{"sky", "sky", false, 0},
	{"person", "human", false, 3462.4756337644},
	{"rider", "human", false, 3930.4788056518},
	{"car", "vehicle", false, 12794.0202738185},
	{"truck", "vehicle", false, 27855.1264367816},
	{"bus", "vehicle", false, 35732.1511111111},
	{"caravan", "vehicle", true, 36771.8241758242},
	{"trailer", "vehicle", true, 16926.9763313609},
	{"train", "vehicle", false, 67583.7075812274},
	{"motorcycle", "vehicle", false, 6298.7200839748},
	{"bicycle", "vehicle", false, 4672.3249222261},
}

const cityscapesLabels = len(CityscapesLabels)

// cityscapesPerLabel is how instance ids are made: label * 1000 + number.
const cityscapesPerLabel = 1000

// CityscapesRecord is what one image contributes to the Cityscapes evaluation.
type CityscapesRecord struct {
	Pixels    Sparse               // of all 34 labels, ignored ones included
	Weighted  bool                 // whether instances were looked for
	Instances []CityscapesInstance // of labels that are not ignored, sorted by ID
}

// CityscapesInstance counts the pixels of one instance in the truth.
type CityscapesInstance struct {
	ID       uint16 // label * 1000 + number
	Size     int64  // pixels
	Class    int64  // of these, predicted as the label
	Category int64  // of these, predicted as any label of its category, ignored ones included
}

// CountCityscapes compares two maps of label ids 0..33 (not train ids) of the same pixels.
// instances is the map of *_instanceIds.png, or nil to do without instance weights. Another truth
// than 0..33 is an error, except 65535, which does not count; another prediction is a miss.
// Instance ids up to 1000 are labels or groups; ids of a label without instances are an error.
func CountCityscapes(truth, pred, instances []uint16) (CityscapesRecord, error) {
	pixels, err := Count(truth, pred, cityscapesLabels, math.MaxUint16)
	if err != nil {
		return CityscapesRecord{}, fmt.Errorf("label ids: %w", err)
	}
	r := CityscapesRecord{Pixels: pixels, Weighted: instances != nil}
	if instances == nil {
		return r, nil
	}
	if len(instances) != len(truth) {
		return r, fmt.Errorf("%d truth and %d instance pixels", len(truth), len(instances))
	}
	seen := make(map[uint16]*CityscapesInstance)
	for i := 0; i < len(instances); {
		id, p, first := instances[i], pred[i], i
		for i < len(instances) && instances[i] == id && pred[i] == p {
			i++
		}
		label := int(id) / cityscapesPerLabel
		if id <= cityscapesPerLabel || label < cityscapesLabels && CityscapesLabels[label].Ignored {
			continue
		}
		if label >= cityscapesLabels || CityscapesLabels[label].InstanceSize == 0 {
			return CityscapesRecord{}, fmt.Errorf("instance id %d at pixel %d is of label %d, which has no instances; want *_instanceIds.png", id, first, label)
		}
		c := seen[id]
		if c == nil {
			c = &CityscapesInstance{ID: id}
			seen[id] = c
		}
		n := int64(i - first)
		c.Size += n
		if int(p) == label {
			c.Class += n
		}
		if int(p) < cityscapesLabels && CityscapesLabels[p].Category == CityscapesLabels[label].Category {
			c.Category += n
		}
	}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		r.Instances = append(r.Instances, *seen[id])
	}
	return r, nil
}

func (r CityscapesRecord) check() error {
	if err := r.Pixels.check(cityscapesLabels); err != nil {
		return err
	}
	if !r.Weighted && len(r.Instances) > 0 {
		return fmt.Errorf("%d instances in a record without instances", len(r.Instances))
	}
	var pixels int64
	for i, c := range r.Instances {
		label := int(c.ID) / cityscapesPerLabel
		switch {
		case c.ID <= cityscapesPerLabel || label >= cityscapesLabels || CityscapesLabels[label].Ignored || CityscapesLabels[label].InstanceSize == 0:
			return fmt.Errorf("instance %d: id %d is of no evaluated label with instances", i, c.ID)
		case i > 0 && r.Instances[i-1].ID >= c.ID:
			return fmt.Errorf("instance %d: id %d is out of order or repeated", i, c.ID)
		case c.Size < 1 || c.Size > math.MaxInt32-pixels || c.Class < 0 || c.Class > c.Category || c.Category > c.Size:
			return fmt.Errorf("instance %d: %d of the class and %d of the category among %d pixels", i, c.Class, c.Category, c.Size)
		}
		pixels += c.Size
	}
	return nil
}

// Cityscapes accumulates the pixel-level evaluation of Cordts et al., "The Cityscapes Dataset",
// CVPR 2016, as cityscapesScripts does it. Make one with [NewCityscapes]; it may be used by one
// goroutine at a time.
//
// Note: an instance weighs (mean size of its class) / (its size). Sums of such weights would
// depend on the order of images in their last digits, so that instances are added up as integers
// by label and size, and divided at the end.
type Cityscapes struct {
	pixels    *Confusion
	instances map[cityscapesSize]cityscapesHits
	images    int
	weighted  int // images in which instances were looked for
}

type cityscapesSize struct {
	label int
	size  int64
}

type cityscapesHits struct{ instances, class, category int64 }

// NewCityscapes makes an empty accumulator.
func NewCityscapes() *Cityscapes {
	pixels, err := NewConfusion(cityscapesLabels)
	if err != nil {
		panic(err) // 34 classes are
	}
	return &Cityscapes{pixels: pixels, instances: make(map[cityscapesSize]cityscapesHits)}
}

// Add adds one image. It changes nothing if the record is not one that [CountCityscapes] makes.
func (c *Cityscapes) Add(r CityscapesRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := c.pixels.Add(r.Pixels); err != nil {
		return err
	}
	for _, x := range r.Instances {
		c.addHits(cityscapesSize{int(x.ID) / cityscapesPerLabel, x.Size}, cityscapesHits{1, x.Class, x.Category})
	}
	c.images++
	if r.Weighted {
		c.weighted++
	}
	return nil
}

func (c *Cityscapes) addHits(k cityscapesSize, h cityscapesHits) {
	sum := c.instances[k]
	c.instances[k] = cityscapesHits{sum.instances + h.instances, sum.class + h.class, sum.category + h.category}
}

// Merge adds all images of another accumulator.
func (c *Cityscapes) Merge(other *Cityscapes) error {
	if err := c.pixels.Merge(other.pixels); err != nil {
		return err
	}
	for k, h := range other.instances {
		c.addHits(k, h)
	}
	c.images += other.images
	c.weighted += other.weighted
	return nil
}

// LooksLikeTrainIDs says whether the predictions are probably train ids: no label is above 18, the
// last of them, though more than a tenth of the truth is. Such predictions score about 0.004.
func (c *Cityscapes) LooksLikeTrainIDs() bool {
	const lastTrainID = 18
	var above int64
	for t := range cityscapesLabels {
		for p := range cityscapesLabels + 1 { // the last one is 255, for ignored
			n := c.pixels.At(t, p)
			if p > lastTrainID && p < cityscapesLabels && n > 0 {
				return false
			}
			if t > lastTrainID {
				above += n
			}
		}
	}
	return above > c.pixels.total/10
}

// Scores are the four averages of the benchmark: mIoU and iIoU over classes, mIoU_category and
// iIoU_category. Undefined ones are left out, and instance-weighted ones also where the instances
// of some image were not looked for.
func (c *Cityscapes) Scores() []Score { return c.scores(c.weights()) }

func (c *Cityscapes) scores(w *cityscapesWeights) []Score {
	classes, categories := c.perClass(w), c.perCategory(w)
	var out []Score
	for _, s := range []struct {
		name, of string
		groups   []CityscapesScores
	}{
		{"mIoU", "IoU", classes}, {"iIoU", "iIoU", classes},
		{"mIoU_category", "IoU", categories}, {"iIoU_category", "iIoU", categories},
	} {
		if x, ok := cityscapesMean(s.groups, s.of); ok {
			out = append(out, Score{s.name, x})
		}
	}
	return out
}

func cityscapesMean(groups []CityscapesScores, name string) (float64, bool) {
	var sum float64
	n := 0
	for _, g := range groups {
		for _, s := range g.Scores {
			if s.Name == name {
				sum += s.Value
				n++
			}
		}
	}
	return sum / float64(max(1, n)), n > 0
}

// CityscapesScores are the scores of one class or category with the pixels behind its IoU.
type CityscapesScores struct {
	Name                      string
	Intersection, Truth, Pred int64   // Pred on truth that is not ignored
	Scores                    []Score // IoU, iIoU; undefined ones are left out
}

// PerClass lists the 19 evaluated classes by label id. Predictions of ignored labels are misses,
// predictions on ignored truth do not count.
func (c *Cityscapes) PerClass() []CityscapesScores { return c.perClass(c.weights()) }

func (c *Cityscapes) perClass(w *cityscapesWeights) []CityscapesScores {
	var out []CityscapesScores
	for id, label := range CityscapesLabels {
		if label.Ignored {
			continue
		}
		var one cityscapesGroup
		one[id] = true
		s := c.score(label.Name, one, one)
		if label.InstanceSize > 0 {
			c.weigh(&s, one, one, w, &w.class)
		}
		out = append(out, s)
	}
	return out
}

// PerCategory lists the seven categories with evaluated labels. Confusing labels of one category
// is right, unless the predicted one is ignored. Instances count as found by any label of the
// category, ignored ones included; only human and vehicle consist of labels with instances.
func (c *Cityscapes) PerCategory() []CityscapesScores { return c.perCategory(c.weights()) }

func (c *Cityscapes) perCategory(w *cityscapesWeights) []CityscapesScores {
	var out []CityscapesScores
	for _, name := range []string{"flat", "construction", "object", "nature", "sky", "human", "vehicle"} {
		var evaluated, all cityscapesGroup
		countable := true
		for id, label := range CityscapesLabels {
			if label.Category == name {
				all[id] = true
				evaluated[id] = !label.Ignored
				countable = countable && label.InstanceSize > 0
			}
		}
		s := c.score(name, evaluated, evaluated)
		if countable {
			c.weigh(&s, evaluated, all, w, &w.category)
		}
		out = append(out, s)
	}
	return out
}

// cityscapesGroup is a set of labels.
type cityscapesGroup [cityscapesLabels]bool

// score is the IoU of truth in rows and predictions in columns.
func (c *Cityscapes) score(name string, rows, columns cityscapesGroup) CityscapesScores {
	s := CityscapesScores{Name: name}
	for t := range cityscapesLabels {
		for p := range cityscapesLabels + 1 {
			n := c.pixels.At(t, p)
			inColumns := p < cityscapesLabels && columns[p]
			if rows[t] {
				s.Truth += n
			}
			if inColumns && !CityscapesLabels[t].Ignored {
				s.Pred += n
			}
			if rows[t] && inColumns {
				s.Intersection += n
			}
		}
	}
	if iou, ok := ratio(s.Intersection, s.Truth+s.Pred-s.Intersection); ok {
		s.Scores = append(s.Scores, Score{"IoU", iou})
	}
	return s
}

// cityscapesWeights are pixels of instances times their weights, by label: those that were found as the class or as the
// category, and all of them.
type cityscapesWeights struct {
	class, category, all [cityscapesLabels]float64
}

func (w *cityscapesWeights) add(x labelWeight, times float64) {
	w.class[x.label] += times * x.class
	w.category[x.label] += times * x.category
	w.all[x.label] += times * x.all
}

// weights divides the sums by size, labels and sizes ascending.
func (c *Cityscapes) weights() *cityscapesWeights {
	w := new(cityscapesWeights)
	for _, k := range slices.SortedFunc(maps.Keys(c.instances), func(a, b cityscapesSize) int {
		return cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(a.size, b.size))
	}) {
		h, size := c.instances[k], CityscapesLabels[k.label].InstanceSize
		weight := size / float64(k.size)
		w.add(labelWeight{k.label, weight * float64(h.class), weight * float64(h.category), size * float64(h.instances)}, 1)
	}
	return w
}

// weigh adds the instance-weighted IoU, iTP / (iTP + FP + iFN). iTP and iFN are pixels of the
// instances of rows times their weights, iTP those of right; FP are plain pixels predicted as one of
// columns on other truth.
func (c *Cityscapes) weigh(s *CityscapesScores, rows, columns cityscapesGroup, w *cityscapesWeights, right *[cityscapesLabels]float64) {
	if c.weighted < c.images {
		return
	}
	plain := c.score("", rows, columns)
	var found, all float64
	for label, in := range rows {
		if in {
			found += right[label]
			all += w.all[label]
		}
	}
	if union := all + float64(plain.Pred-plain.Intersection); union > 0 {
		s.Scores = append(s.Scores, Score{"iIoU", found / union})
	}
}
