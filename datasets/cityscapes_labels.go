package datasets

import (
	"errors"
	"fmt"
	"image"

	"ovbench/datasets/labelmap"
)

// CityscapesLabel is one of the labels that Cityscapes' files tell apart.
type CityscapesLabel struct {
	ID        int // in *_gtFine_labelIds.png; -1 is never stored
	Name      string
	TrainID   int  // class of the data set cityscapes and value in *_gtFine_labelTrainIds.png; 255 and -1 are not scored
	Instances bool // its things are told apart: their value in *_gtFine_instanceIds.png is 1000*ID + number
}

// CityscapesLabels is Cityscapes' table of labels, Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene
// Understanding", CVPR 2016. Element i has the ID i, but for the last.
var CityscapesLabels = [...]CityscapesLabel{
	{0, "unlabeled", 255, false},
	{1, "ego vehicle", 255, false},
	{2, "rectification border", 255, false},
	{3, "out of roi", 255, false},
	{4, "static", 255, false},
	{5, "dynamic", 255, false},
	{6, "ground", 255, false},
	{7, "road", 0, false},
	{8, "sidewalk", 1, false},
	{9, "parking", 255, false},
	{10, "rail track", 255, false},
	{11, "building", 2, false},
	{12, "wall", 3, false},
	{13, "fence", 4, false},
	{14, "guard rail", 255, false},
	{15, "bridge", 255, false},
	{16, "tunnel", 255, false},
	{17, "pole", 5, false},
	{18, "polegroup", 255, false},
	{19, "traffic light", 6, false},
	{20, "traffic sign", 7, false},
	{21, "vegetation", 8, false},
	{22, "terrain", 9, false},
	{23, "sky", 10, false},
	{24, "person", 11, true},
	{25, "rider", 12, true},
	{26, "car", 13, true},
	{27, "truck", 14, true},
	{28, "bus", 15, true},
	{29, "caravan", 255, true},
	{30, "trailer", 255, true},
	{31, "train", 16, true},
	{32, "motorcycle", 17, true},
	{33, "bicycle", 18, true},
	{-1, "license plate", -1, false},
}

const (
	cityscapesIDs      = len(CityscapesLabels) - 1 // 0..33
	cityscapesPerLabel = 1000                      // instances of a label
	cityscapesVoid     = 255                       // the train id of what is not scored
)

// CityscapesID is the label, 0..33, of a value that [Instanced] gives for Cityscapes.
func CityscapesID(instance uint16) uint16 {
	if instance >= cityscapesPerLabel {
		return instance / cityscapesPerLabel
	}
	return instance
}

func cityscapesClasses() []string {
	var names []string
	for _, l := range CityscapesLabels {
		if l.TrainID == len(names) {
			names = append(names, l.Name)
		}
	}
	return names
}

// cityscapesFromIDs maps label ids to classes.
func cityscapesFromIDs() *labelmap.Table {
	t := labelmap.NewTable(0, cityscapesVoid, false)
	t[cityscapesVoid] = labelmap.Stray
	for _, l := range CityscapesLabels[:cityscapesIDs] {
		t[l.ID] = labelmap.Ignore
		if l.TrainID != cityscapesVoid {
			t[l.ID] = uint16(l.TrainID)
		}
	}
	return t
}

// cityscapesTrainIDs maps the values of a labelTrainIds file, in place. Label ids in such a file are the classic
// mistake.
func cityscapesTrainIDs(l labelmap.Map) error {
	classes := uint16(len(cityscapesClasses()))
	for i, v := range l.Pix {
		if v >= classes && v < uint16(cityscapesIDs) {
			return fmt.Errorf("%w: %d (%s) at x %d, y %d: the file holds label ids under the name of train ids, the "+
				"classic mistake with Cityscapes; "+
				"delete the labelTrainIds files to have the labelIds files read, or make them again with "+
				"csCreateTrainIdLabelImgs",
				labelmap.ErrValue, v, CityscapesLabels[v].Name, i%l.W, i/l.W)
		}
	}
	return labelmap.NewTable(int(classes), cityscapesVoid, false).Apply(l)
}

// cityscapesLabelIDs maps the values of a labelIds file, in place. Every picture has parts that are not scored, so that
// train ids in such a file, the same mistake the other way round, give themselves away by 255.
func cityscapesLabelIDs(l labelmap.Map) error {
	for i, v := range l.Pix {
		if v == cityscapesVoid {
			return fmt.Errorf("%w: %d at x %d, y %d: the file holds train ids under the name of label ids, the "+
				"classic mistake with Cityscapes; "+
				"restore the original labelIds files from gtFine_trainvaltest.zip, or name these "+
				"*_gtFine_labelTrainIds.png",
				labelmap.ErrValue, v, i%l.W, i/l.W)
		}
	}
	return cityscapesFromIDs().Apply(l)
}

// cityscapesPNG reads a PNG of numbers.
func cityscapesPNG(path, imagePath string, size image.Point) (labelmap.Map, error) {
	l, err := labelmap.Read(path)
	if errors.Is(err, labelmap.ErrColours) {
		return labelmap.Map{}, fmt.Errorf("%w; of Cityscapes' files *_gtFine_color.png is for people, the numbers "+
			"are in *_gtFine_labelIds.png", err)
	}
	if err != nil {
		return labelmap.Map{}, err
	}
	return l, checkSizes(imagePath, path, size, image.Pt(l.W, l.H))
}

// checkCityscapesInstances refuses what is not an instanceIds map.
func checkCityscapesInstances(l labelmap.Map) error {
	for i, v := range l.Pix {
		id := int(CityscapesID(v))
		if id >= cityscapesIDs || v >= cityscapesPerLabel && !CityscapesLabels[id].Instances {
			return fmt.Errorf("%w: %d at x %d, y %d is no instance id; want an id 0..33, or 1000*id + number for "+
				"labels with instances",
				labelmap.ErrValue, v, i%l.W, i/l.W)
		}
	}
	return nil
}
