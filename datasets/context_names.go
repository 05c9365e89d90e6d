package datasets

import "strings"

// contextNames are the official names of the numbers 1..459 in the original label maps (labels.txt), from number 1 on.
var contextNames = []string{
	"accordion", "aeroplane", "air conditioner", "antenna", "artillery", "ashtray", "atrium", "baby carriage", "bag",
	"ball", "balloon", "bamboo weaving", "barrel", "baseball bat", "basket", "basketball backboard", "bathtub", "bed",
	"bedclothes", "beer", "bell", "bench", "bicycle", "binoculars", "bird", "bird cage", "bird feeder", "bird nest",
	"blackboard", "board", "boat", "bone", "book", "bottle", "bottle opener", "bowl", "box", "bracelet", "brick",
	"bridge", "broom", "brush", "bucket", "building", "bus", "cabinet", "cabinet door", "cage", "cake", "calculator",
	"calendar", "camel", "camera", "camera lens", "can", "candle", "candle holder", "cap", "car", "card", "cart",
	"case", "casette recorder", "cash register", "cat", "cd", "cd player", "ceiling", "cell phone", "cello", "chain",
	"chair", "chessboard", "chicken", "chopstick", "clip", "clippers", "clock", "closet", "cloth", "clothes tree",
	"coffee", "coffee machine", "comb", "computer", "concrete", "cone", "container", "control booth", "controller",
	"cooker", "copying machine", "coral", "cork", "corkscrew", "counter", "court", "cow", "crabstick", "crane",
	"crate", "cross", "crutch", "cup", "curtain", "cushion", "cutting board", "dais", "disc", "disc case",
	"dishwasher", "dock", "dog", "dolphin", "door", "drainer", "dray", "drink dispenser", "drinking machine", "drop",
	"drug", "drum", "drum kit", "duck", "dumbbell", "earphone", "earrings", "egg", "electric fan", "electric iron",
	"electric pot", "electric saw", "electronic keyboard", "engine", "envelope", "equipment", "escalator",
	"exhibition booth", "extinguisher", "eyeglass", "fan", "faucet", "fax machine", "fence", "ferris wheel",
	"fire extinguisher", "fire hydrant", "fire place", "fish", "fish tank", "fishbowl", "fishing net", "fishing pole",
	"flag", "flagstaff", "flame", "flashlight", "floor", "flower", "fly", "foam", "food", "footbridge", "forceps",
	"fork", "forklift", "fountain", "fox", "frame", "fridge", "frog", "fruit", "funnel", "furnace", "game controller",
	"game machine", "gas cylinder", "gas hood", "gas stove", "gift box", "glass", "glass marble", "globe", "glove",
	"goal", "grandstand", "grass", "gravestone", "ground", "guardrail", "guitar", "gun", "hammer", "hand cart",
	"handle", "handrail", "hanger", "hard disk drive", "hat", "hay", "headphone", "heater", "helicopter", "helmet",
	"holder", "hook", "horse", "horse-drawn carriage", "hot-air balloon", "hydrovalve", "ice", "inflator pump", "ipod",
	"iron", "ironing board", "jar", "kart", "kettle", "key", "keyboard", "kitchen range", "kite", "knife",
	"knife block", "ladder", "ladder truck", "ladle", "laptop", "leaves", "lid", "life buoy", "light", "light bulb",
	"lighter", "line", "lion", "lobster", "lock", "machine", "mailbox", "mannequin", "map", "mask", "mat",
	"match book", "mattress", "menu", "metal", "meter box", "microphone", "microwave", "mirror", "missile", "model",
	"money", "monkey", "mop", "motorbike", "mountain", "mouse", "mouse pad", "musical instrument", "napkin", "net",
	"newspaper", "oar", "ornament", "outlet", "oven", "oxygen bottle", "pack", "pan", "paper", "paper box",
	"paper cutter", "parachute", "parasol", "parterre", "patio", "pelage", "pen", "pen container", "pencil", "person",
	"photo", "piano", "picture", "pig", "pillar", "pillow", "pipe", "pitcher", "plant", "plastic", "plate", "platform",
	"player", "playground", "pliers", "plume", "poker", "poker chip", "pole", "pool table", "postcard", "poster",
	"pot", "pottedplant", "printer", "projector", "pumpkin", "rabbit", "racket", "radiator", "radio", "rail", "rake",
	"ramp", "range hood", "receiver", "recorder", "recreational machines", "remote control", "road", "robot", "rock",
	"rocket", "rocking horse", "rope", "rug", "ruler", "runway", "saddle", "sand", "saw", "scale", "scanner",
	"scissors", "scoop", "screen", "screwdriver", "sculpture", "scythe", "sewer", "sewing machine", "shed", "sheep",
	"shell", "shelves", "shoe", "shopping cart", "shovel", "sidecar", "sidewalk", "sign", "signal light", "sink",
	"skateboard", "ski", "sky", "sled", "slippers", "smoke", "snail", "snake", "snow", "snowmobiles", "sofa",
	"spanner", "spatula", "speaker", "speed bump", "spice container", "spoon", "sprayer", "squirrel", "stage", "stair",
	"stapler", "stick", "sticky note", "stone", "stool", "stove", "straw", "stretcher", "sun", "sunglass", "sunshade",
	"surveillance camera", "swan", "sweeper", "swim ring", "swimming pool", "swing", "switch", "table", "tableware",
	"tank", "tap", "tape", "tarp", "telephone", "telephone booth", "tent", "tire", "toaster", "toilet", "tong", "tool",
	"toothbrush", "towel", "toy", "toy car", "track", "train", "trampoline", "trash bin", "tray", "tree", "tricycle",
	"tripod", "trophy", "truck", "tube", "turtle", "tvmonitor", "tweezers", "typewriter", "umbrella", "unknown",
	"vacuum cleaner", "vending machine", "video camera", "video game console", "video player", "video tape", "violin",
	"wakeboard", "wall", "wallet", "wardrobe", "washing machine", "watch", "water", "water dispenser", "water pipe",
	"water skate board", "watermelon", "whale", "wharf", "wheel", "wheelchair", "window", "window blinds", "wineglass",
	"wire", "wood", "wool"}

// context59Numbers are the original numbers of the 59 classes that are scored, in their order: that of mmsegmentation,
// which is by number and thereby alphabetical.
var context59Numbers = []uint16{2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105,
	113, 115,
	144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366,
	368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458}

// contextVOCFirst are the same numbers in the other order in circulation, of 59_labels.txt and of detail-api's
// evaluation: VOC's twenty classes as VOC numbers them, then the rest.
var contextVOCFirst = []uint16{2, 23, 25, 31, 34, 45, 59, 65, 72, 98, 397, 113, 207, 258, 284, 308, 347, 368, 416, 427,
	9, 18, 22, 33,
	44, 46, 68, 80, 85, 104, 115, 144, 158, 159, 162, 187, 189, 220, 232, 259, 260, 105, 296, 355, 295, 324, 326, 349, 354,
	360, 366, 19, 415, 420, 424, 440, 445, 454, 458}

// context60Names are "background" and the names of the 59 classes.
var context60Names = func() []string {
	names := []string{"background"}
	for _, n := range context59Numbers {
		names = append(names, contextNames[n-1])
	}
	return names
}()

// contextSpellings are other spellings of the 59 names in lists in circulation, without blanks.
var contextSpellings = map[string]string{
	"airplane": "aeroplane", "bedcloth": "bedclothes", "clothes": "cloth", "diningtable": "table", "monitor": "tvmonitor",
	"plant": "pottedplant",
}

// contextLabel60 is the place of a name in context60Names, or -1.
func contextLabel60(name string) int {
	name = strings.ReplaceAll(strings.ToLower(name), " ", "")
	if s, ok := contextSpellings[name]; ok {
		name = s
	}
	for i, n := range context60Names {
		if n == name {
			return i
		}
	}
	return -1
}
