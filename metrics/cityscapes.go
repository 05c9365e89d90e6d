package metrics

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
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
	Pixels    Sparse              // of all 34 labels, ignored ones included
	Weighted  bool                // whether instances were looked for
	Instances CityscapesInstances // of labels that are not ignored, sorted by ID
}

// CityscapesInstance counts the pixels of one instance in the truth.
type CityscapesInstance struct {
	ID       uint16 // label * 1000 + number
	Size     int64  // pixels
	Class    int64  // of these, predicted as the label
	Category int64  // of these, predicted as any label of its category, ignored ones included
}

// CityscapesInstances is in files [[id, pixels, of the label, of its category], …].
type CityscapesInstances []CityscapesInstance

// MarshalJSON writes rows of four numbers.
func (c CityscapesInstances) MarshalJSON() ([]byte, error) {
	return appendRows(len(c), func(i int) []int64 {
		return []int64{int64(c[i].ID), c[i].Size, c[i].Class, c[i].Category}
	}), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *CityscapesInstances) UnmarshalJSON(b []byte) error {
	*c = nil
	return readRows(b, 4, func(x []int64) error {
		if x[0] != int64(uint16(x[0])) {
			return fmt.Errorf("instance %v has no id", x)
		}
		*c = append(*c, CityscapesInstance{ID: uint16(x[0]), Size: x[1], Class: x[2], Category: x[3]})
		return nil
	})
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
			return CityscapesRecord{}, fmt.Errorf(
				"instance id %d at pixel %d is of label %d, which has no instances; want *_instanceIds.png", id, first, label)
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
	if _, err := r.Pixels.check(cityscapesLabels); err != nil {
		return err
	}
	if !r.Weighted && len(r.Instances) > 0 {
		return fmt.Errorf("%d instances in a record without instances", len(r.Instances))
	}
	var pixels int64
	for i, c := range r.Instances {
		label := int(c.ID) / cityscapesPerLabel
		switch {
		case c.ID <= cityscapesPerLabel || label >= cityscapesLabels || CityscapesLabels[label].Ignored ||
			CityscapesLabels[label].InstanceSize == 0:
			return fmt.Errorf("instance %d: id %d is of no evaluated label with instances", i, c.ID)
		case i > 0 && r.Instances[i-1].ID >= c.ID:
			return fmt.Errorf("instance %d: id %d is out of order or repeated", i, c.ID)
		case c.Size < 1 || c.Size > math.MaxInt32-pixels || c.Class < 0 || c.Class > c.Category || c.Category > c.Size:
			return fmt.Errorf("instance %d: %d of the class and %d of the category among %d pixels", i, c.Class, c.Category,
				c.Size)
		}
		pixels += c.Size
	}
	return nil
}

// cityscapes sums the pixel-level evaluation of Cordts et al., "The Cityscapes Dataset", CVPR 2016, as
// cityscapesScripts does it.
type cityscapes struct {
	pixels   *mat.Dense
	weights  cityscapesWeights
	weighted bool // the instances of every image were looked for
}

func newCityscapes(records []CityscapesRecord) (*cityscapes, error) {
	c := &cityscapes{pixels: mat.NewDense(cityscapesLabels, cityscapesLabels+1, nil), weighted: true}
	for i, r := range records {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
		c.weighted = c.weighted && r.Weighted
	}
	return c, nil
}

func (c *cityscapes) clear() {
	c.pixels.Zero()
	c.weights = cityscapesWeights{}
}

func (c *cityscapes) add(r CityscapesRecord, times int64) {
	for _, x := range r.Pixels {
		c.pixels.Set(int(x.Truth), int(x.Pred), c.pixels.At(int(x.Truth), int(x.Pred))+float64(times*x.Count))
	}
	for _, x := range r.Instances {
		c.weights.add(x, float64(times))
	}
}

// CityscapesStatistic is one of the four averages of the benchmark over resampled images: mIoU and iIoU over classes,
// mIoU_category and iIoU_category. Instance-weighted ones are undefined where the instances of some image were not
// looked for.
func CityscapesStatistic(records []CityscapesRecord, score string) (Statistic, error) {
	if err := known(score, "mIoU", "iIoU", "mIoU_category", "iIoU_category"); err != nil {
		return nil, err
	}
	c, err := newCityscapes(records)
	if err != nil {
		return nil, err
	}
	return pooled(c, records, len(records), same, score), nil
}

// CityscapesGroups lists the classes and the categories of all images, and says whether the predictions are probably
// train ids: no label is above 18, the last of them, though more than a tenth of the truth is. Such predictions score
// about 0.004.
func CityscapesGroups(records []CityscapesRecord) (classes, categories []CityscapesScores, trainIDs bool, err error) {
	c, err := newCityscapes(records)
	if err != nil {
		return nil, nil, false, err
	}
	for _, r := range records {
		c.add(r, 1)
	}
	return c.perClass(), c.perCategory(), c.looksLikeTrainIDs(), nil
}

func (c *cityscapes) looksLikeTrainIDs() bool {
	const lastTrainID = 18
	total := mat.Sum(c.pixels)
	above := mat.Sum(c.pixels.Slice(lastTrainID+1, cityscapesLabels, 0, cityscapesLabels+1)) // the last column is 255
	return mat.Sum(c.pixels.Slice(0, cityscapesLabels, lastTrainID+1, cityscapesLabels)) == 0 && above > total/10
}

func (c *cityscapes) Scores() []Score {
	classes, categories := c.perClass(), c.perCategory()
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
	var m average
	for _, g := range groups {
		for _, s := range g.Scores {
			m.addIf(s.Value, s.Name == name)
		}
	}
	return m.of()
}

// CityscapesScores are the scores of one class or category with the pixels behind its IoU.
type CityscapesScores struct {
	Name                      string
	Intersection, Truth, Pred int64   // Pred on truth that is not ignored
	Scores                    []Score // IoU, iIoU; undefined ones are left out
}

// perClass lists the 19 evaluated classes by label id. Predictions of ignored labels are misses,
// predictions on ignored truth do not count.
func (c *cityscapes) perClass() []CityscapesScores {
	var out []CityscapesScores
	for id, label := range CityscapesLabels {
		if label.Ignored {
			continue
		}
		var one cityscapesGroup
		one[id] = true
		s := c.score(label.Name, one, one)
		if label.InstanceSize > 0 {
			c.weigh(&s, one, one, &c.weights.class)
		}
		out = append(out, s)
	}
	return out
}

// perCategory lists the seven categories with evaluated labels. Confusing labels of one category
// is right, unless the predicted one is ignored. Instances count as found by any label of the
// category, ignored ones included; only human and vehicle consist of labels with instances.
func (c *cityscapes) perCategory() []CityscapesScores {
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
			c.weigh(&s, evaluated, all, &c.weights.category)
		}
		out = append(out, s)
	}
	return out
}

// cityscapesGroup is a set of labels.
type cityscapesGroup [cityscapesLabels]bool

// score is the IoU of truth in rows and predictions in columns.
func (c *cityscapes) score(name string, rows, columns cityscapesGroup) CityscapesScores {
	s := CityscapesScores{Name: name}
	for t := range cityscapesLabels {
		for p := range cityscapesLabels + 1 {
			n := int64(c.pixels.At(t, p))
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

func (w *cityscapesWeights) add(x CityscapesInstance, times float64) {
	label := int(x.ID) / cityscapesPerLabel
	size := CityscapesLabels[label].InstanceSize
	weight := times * size / float64(x.Size)
	w.class[label] += weight * float64(x.Class)
	w.category[label] += weight * float64(x.Category)
	w.all[label] += times * size
}

// weigh adds the instance-weighted IoU, iTP / (iTP + FP + iFN). iTP and iFN are pixels of the
// instances of rows times their weights, iTP those of right; FP are plain pixels predicted as one of
// columns on other truth.
func (c *cityscapes) weigh(s *CityscapesScores, rows, columns cityscapesGroup, right *[cityscapesLabels]float64) {
	if !c.weighted {
		return
	}
	plain := c.score("", rows, columns)
	var found, all float64
	for label, in := range rows {
		if in {
			found += right[label]
			all += c.weights.all[label]
		}
	}
	if union := all + float64(plain.Pred-plain.Intersection); union > 0 {
		s.Scores = append(s.Scores, Score{"iIoU", found / union})
	}
}
