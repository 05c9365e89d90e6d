package datasets

import (
	"fmt"
	"strings"

	"github.com/hbollon/go-edlib"
)

// Entry is one data set that [Open] knows.
type Entry struct {
	Name, Title string
	Classes     int // 0: as many as its own list of classes has
	Open        func(Options) (Dataset, error)
}

// All lists every data set, in the order people read them.
var All = []Entry{
	{"voc21", "PASCAL VOC 2012 with background", 21, openVOC21},
	{"voc20", "PASCAL VOC 2012 without background", 20, openVOC20},
	{"voc2007", "PASCAL VOC 2007, image-level classes and boxes", 20, openVOC2007},
	{"voc2012", "PASCAL VOC 2012, image-level classes and boxes", 20, openVOC2012},
	{"nuswide", "NUS-WIDE, 81 concepts", 81, openNUSWIDE},
	{"context60", "PASCAL Context, 59 classes and background", 60, openContext60},
	{"context59", "PASCAL Context, 59 classes", 59, openContext59},
	{"context459", "PASCAL Context, all 459 classes", 459, openContext459},
	{"coco_object", "COCO-Object, 80 kinds of objects and background", 81, openCOCOObject},
	{"coco_stuff", "COCO-Stuff 164k, 171 classes", 171, openCOCOStuff},
	{"coco_panoptic", "COCO panoptic, 133 classes", 133, openCOCOPanoptic},
	{"coco", "COCO, image-level classes and objects", 80, openCOCOInstances},
	{"cityscapes", "Cityscapes", 19, openCityscapes},
	{"ade20k", "ADE20K, the scene parsing benchmark", 150, openADE20K},
	{"imagenet_s50", "ImageNet-S50 with background", 51, openImageNetS50},
	{"imagenet_s300", "ImageNet-S300 with background", 301, openImageNetS300},
	{"imagenet_s919", "ImageNet-S919 with background", 920, openImageNetS919},
	{"imagenet_segmentation", "ImageNet-segmentation, one object a picture", 0, openImageNetSegmentation},
	{"openimages_points", "Open Images V7, judged points", 0, openOpenImages},
	{"camvid", "CamVid as SegNet has it", 11, openCamVid},
	{"shapes", "Shapes on textured grounds, drawn from a seed", 15, openShapes},
	{"shapes_pairs", "Coloured shapes on textured grounds, drawn from a seed", 71, openShapesPairs},
	{"folder", "Pictures and label maps of one's own", 0, openFolder},
}

// Open opens a data set of [All] by name. It reads lists, not pictures.
func Open(name string, o Options) (Dataset, error) {
	e, err := find(name)
	if err != nil {
		return nil, err
	}
	ds, err := e.Open(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return ds, nil
}

func find(name string) (Entry, error) {
	names := make([]string, len(All))
	for i, e := range All {
		if e.Name == name {
			return e, nil
		}
		names[i] = e.Name
	}
	return Entry{}, fmt.Errorf("data set %q is not known%s (known: %s)", name, didYouMean(name, names),
		strings.Join(names, ", "))
}

// didYouMean is "; did you mean …?" if a known name is within a third of its letters, else "".
func didYouMean(name string, known []string) string {
	best, least := "", len(name)
	for _, k := range known {
		if d := edlib.LevenshteinDistance(strings.ToLower(name), k); d < least && d <= (len(k)+1)/3 {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
