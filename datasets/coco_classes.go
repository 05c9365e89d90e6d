package datasets

import "slices"

// Categories of COCO (Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014), of COCO-Stuff (Caesar et
// al., "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018) and of the panoptic task (Kirillov et al.,
// "Panoptic Segmentation", CVPR 2019). The three share one numbering with gaps; labels are positions in the lists
// below.

// A cocoCategory is what COCO calls id.
type cocoCategory struct {
	id   int64
	name string
}

// cocoThings are the 80 kinds of objects.
var cocoThings = []cocoCategory{
	{1, "person"}, {2, "bicycle"}, {3, "car"}, {4, "motorcycle"}, {5, "airplane"}, {6, "bus"}, {7, "train"},
	{8, "truck"}, {9, "boat"}, {10, "traffic light"}, {11, "fire hydrant"}, {13, "stop sign"}, {14, "parking meter"},
	{15, "bench"}, {16, "bird"}, {17, "cat"}, {18, "dog"}, {19, "horse"}, {20, "sheep"}, {21, "cow"}, {22, "elephant"},
	{23, "bear"}, {24, "zebra"}, {25, "giraffe"}, {27, "backpack"}, {28, "umbrella"}, {31, "handbag"}, {32, "tie"},
	{33, "suitcase"}, {34, "frisbee"}, {35, "skis"}, {36, "snowboard"}, {37, "sports ball"}, {38, "kite"},
	{39, "baseball bat"}, {40, "baseball glove"}, {41, "skateboard"}, {42, "surfboard"}, {43, "tennis racket"},
	{44, "bottle"}, {46, "wine glass"}, {47, "cup"}, {48, "fork"}, {49, "knife"}, {50, "spoon"}, {51, "bowl"},
	{52, "banana"}, {53, "apple"}, {54, "sandwich"}, {55, "orange"}, {56, "broccoli"}, {57, "carrot"}, {58, "hot dog"},
	{59, "pizza"}, {60, "donut"}, {61, "cake"}, {62, "chair"}, {63, "couch"}, {64, "potted plant"}, {65, "bed"},
	{67, "dining table"}, {70, "toilet"}, {72, "tv"}, {73, "laptop"}, {74, "mouse"}, {75, "remote"}, {76, "keyboard"},
	{77, "cell phone"}, {78, "microwave"}, {79, "oven"}, {80, "toaster"}, {81, "sink"}, {82, "refrigerator"},
	{84, "book"}, {85, "clock"}, {86, "vase"}, {87, "scissors"}, {88, "teddy bear"}, {89, "hair drier"},
	{90, "toothbrush"},
}

// cocoStuff are the 91 kinds of stuff.
var cocoStuff = []cocoCategory{
	{92, "banner"}, {93, "blanket"}, {94, "branch"}, {95, "bridge"}, {96, "building-other"}, {97, "bush"},
	{98, "cabinet"}, {99, "cage"}, {100, "cardboard"}, {101, "carpet"}, {102, "ceiling-other"}, {103, "ceiling-tile"},
	{104, "cloth"}, {105, "clothes"}, {106, "clouds"}, {107, "counter"}, {108, "cupboard"}, {109, "curtain"},
	{110, "desk-stuff"}, {111, "dirt"}, {112, "door-stuff"}, {113, "fence"}, {114, "floor-marble"},
	{115, "floor-other"}, {116, "floor-stone"}, {117, "floor-tile"}, {118, "floor-wood"}, {119, "flower"}, {120, "fog"},
	{121, "food-other"}, {122, "fruit"}, {123, "furniture-other"}, {124, "grass"}, {125, "gravel"},
	{126, "ground-other"}, {127, "hill"}, {128, "house"}, {129, "leaves"}, {130, "light"}, {131, "mat"}, {132, "metal"},
	{133, "mirror-stuff"}, {134, "moss"}, {135, "mountain"}, {136, "mud"}, {137, "napkin"}, {138, "net"},
	{139, "paper"}, {140, "pavement"}, {141, "pillow"}, {142, "plant-other"}, {143, "plastic"}, {144, "platform"},
	{145, "playingfield"}, {146, "railing"}, {147, "railroad"}, {148, "river"}, {149, "road"}, {150, "rock"},
	{151, "roof"}, {152, "rug"}, {153, "salad"}, {154, "sand"}, {155, "sea"}, {156, "shelf"}, {157, "sky-other"},
	{158, "skyscraper"}, {159, "snow"}, {160, "solid-other"}, {161, "stairs"}, {162, "stone"}, {163, "straw"},
	{164, "structural-other"}, {165, "table"}, {166, "tent"}, {167, "textile-other"}, {168, "towel"}, {169, "tree"},
	{170, "vegetable"}, {171, "wall-brick"}, {172, "wall-concrete"}, {173, "wall-other"}, {174, "wall-panel"},
	{175, "wall-stone"}, {176, "wall-tile"}, {177, "wall-wood"}, {178, "water-other"}, {179, "waterdrops"},
	{180, "window-blind"}, {181, "window-other"}, {182, "wood"},
}

// cocoPanopticStuff are the 53 kinds of stuff of the panoptic task, from 184 on each several of cocoStuff.
var cocoPanopticStuff = []cocoCategory{
	{92, "banner"}, {93, "blanket"}, {95, "bridge"}, {100, "cardboard"}, {107, "counter"}, {109, "curtain"},
	{112, "door-stuff"}, {118, "floor-wood"}, {119, "flower"}, {122, "fruit"}, {125, "gravel"}, {128, "house"},
	{130, "light"}, {133, "mirror-stuff"}, {138, "net"}, {141, "pillow"}, {144, "platform"}, {145, "playingfield"},
	{147, "railroad"}, {148, "river"}, {149, "road"}, {151, "roof"}, {154, "sand"}, {155, "sea"}, {156, "shelf"},
	{159, "snow"}, {161, "stairs"}, {166, "tent"}, {168, "towel"}, {171, "wall-brick"}, {175, "wall-stone"},
	{176, "wall-tile"}, {177, "wall-wood"}, {178, "water-other"}, {180, "window-blind"}, {181, "window-other"},
	{184, "tree-merged"}, {185, "fence-merged"}, {186, "ceiling-merged"}, {187, "sky-other-merged"},
	{188, "cabinet-merged"}, {189, "table-merged"}, {190, "floor-other-merged"}, {191, "pavement-merged"},
	{192, "mountain-merged"}, {193, "grass-merged"}, {194, "dirt-merged"}, {195, "paper-merged"},
	{196, "food-other-merged"}, {197, "building-other-merged"}, {198, "rock-merged"}, {199, "wall-other-merged"},
	{200, "rug-merged"},
}

// cocoOther marks, in the stuff annotations, every pixel that is part of a thing.
var cocoOther = cocoCategory{183, "other"}

func cocoNames(lists ...[]cocoCategory) []string {
	var names []string
	for _, c := range slices.Concat(lists...) {
		names = append(names, c.name)
	}
	return names
}

// cocoLabels maps the ids of the lists, one after the other, to first, first+1, …
func cocoLabels(first int, lists ...[]cocoCategory) map[int64]uint16 {
	labels := make(map[int64]uint16)
	for i, c := range slices.Concat(lists...) {
		labels[c.id] = uint16(first + i)
	}
	return labels
}
