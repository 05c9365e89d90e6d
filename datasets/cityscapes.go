package datasets

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// Cityscapes, finely annotated: street scenes of 50 cities in 2048 x 1024 pixels, 19 classes that are scored. People
// drew polygons; Cityscapes' scripts made three PNG files of each drawing. A tree need not have all of them: the first
// form of cityscapesForms that every picture of the split has is read.

const (
	cityscapesHomepage = "https://www.cityscapes-dataset.com/downloads/ (leftImg8bit_trainvaltest.zip, " +
		"gtFine_trainvaltest.zip)"
	cityscapesLayout = `cityscapes/
  leftImg8bit/val/<city>/<id>_leftImg8bit.png
  gtFine/val/<city>/<id>_gtFine_labelTrainIds.png, or <id>_gtFine_labelIds.png, or <id>_gtFine_polygons.json`

	cityscapesPicture   = "_leftImg8bit.png"
	cityscapesInstances = "_gtFine_instanceIds.png"
	cityscapesPolygons  = "_gtFine_polygons.json"
)

// cityscapesOfficial counts the pictures of the splits. The label maps of test are blank: its truth is on a server.
var cityscapesOfficial = map[string]int{"train": 2975, "val": 500, "test": 1525}

// A cityscapesForm is one way in which the truth is stored.
type cityscapesForm struct {
	suffix, note string
	read         cityscapesReader
	classes      func(labelmap.Map) error // maps what was read, in place
}

// A cityscapesReader reads what is stored at path for a picture of a size in pixels.
type cityscapesReader func(path, imagePath string, size image.Point) (labelmap.Map, error)

var cityscapesForms = []cityscapesForm{
	{"_gtFine_labelTrainIds.png", "", cityscapesPNG, cityscapesTrainIDs},
	{"_gtFine_labelIds.png", "label maps are the labelIds files, mapped to the 19 classes", cityscapesPNG,
		cityscapesLabelIDs},
	{cityscapesPolygons, "label maps are drawn from the polygons, as cityscapesscripts with Pillow 13 draws them",
		cityscapesDrawn((*cityscapesDrawing).labelIDs), cityscapesLabelIDs},
}

// Instanced is a Dataset that tells the things of one class apart.
type Instanced interface {
	// Instances reads the map of instance ids of sample i, as large as its picture. For Cityscapes a value below 1000
	// is a label id, else 1000*label + number: see [CityscapesID]. It is everything that Cityscapes' own evaluation,
	// which scores label ids and weights instances, wants to know of the truth.
	Instances(i int) (labelmap.Map, error)
}

// cityscapes adds instances.
type cityscapes struct {
	*onDisk
	paths []string // of pictures, by sample, below the folder of the split
}

func openCityscapes(o Options) (Dataset, error) {
	info := Info{Name: "cityscapes", Title: "Cityscapes", Classes: cityscapesClasses(), Homepage: cityscapesHomepage,
		Layout: cityscapesLayout}
	if err := o.begin(&info, "val", "leftImg8bit and gtFine"); err != nil {
		return nil, err
	}
	info.Official = cityscapesOfficial[o.Split]
	dirs := candidates(o.Root, "cityscapes", "Cityscapes", "CityScapes")
	if info.Root = firstWith(dirs, "leftImg8bit", "gtFine"); info.Root == "" {
		return nil, fmt.Errorf("leftImg8bit and gtFine are together in none of %s\n%s", strings.Join(dirs, ", "),
			info.help())
	}
	pictures := filepath.Join(info.Root, "leftImg8bit", o.Split)
	ids, paths, err := nestedIDs(pictures, cityscapesPicture)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("split %q: %w; splits are train, val, test", o.Split, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (leftImg8bit_trainvaltest.zip)", err)
	}
	c := &cityscapes{newOnDisk(o, info, ids), paths}
	form, err := c.choose()
	if err != nil {
		return nil, err
	}
	if form.note != "" {
		c.info.Notes = []string{form.note}
	}
	c.files = func(i int) (string, string) {
		return filepath.Join(pictures, paths[i]), c.stored(i, form.suffix)
	}
	c.truth = func(_ int, s *Sample) (err error) {
		if s.Labels, err = form.read(s.LabelPath, s.ImagePath, s.Image.Rect.Max); err != nil {
			return err
		}
		return in(s.LabelPath, form.classes(s.Labels))
	}
	return c, nil
}

// choose finds the form of the truth: the first that all pictures have, else the one that most have.
func (c *cityscapes) choose() (chosen *cityscapesForm, err error) {
	most := 0
	for k := range cityscapesForms {
		form, n := &cityscapesForms[k], 0
		for i := range c.ids {
			if exists(c.stored(i, form.suffix)) {
				n++
			}
		}
		if n > most {
			chosen, most = form, n
		}
		if n == len(c.ids) {
			break
		}
	}
	if most == 0 {
		return nil, fmt.Errorf("no truth for any picture, such as %s or *%s; unpack gtFine_trainvaltest.zip",
			c.stored(0, cityscapesForms[1].suffix), cityscapesPolygons)
	}
	return chosen, nil
}

// stored is the path of a file of sample i that holds truth.
func (c *cityscapes) stored(i int, suffix string) string {
	return filepath.Join(c.info.Root, "gtFine", c.info.Split, filepath.Dir(c.paths[i]), c.ids[i]+suffix)
}

// Instances reads *_gtFine_instanceIds.png, or where that is missing draws it from the polygons.
func (c *cityscapes) Instances(i int) (labelmap.Map, error) {
	if i < 0 || i >= len(c.ids) {
		return labelmap.Map{}, fmt.Errorf("cityscapes: sample %d of %d", i, len(c.ids))
	}
	imagePath, _ := c.Files(i)
	w, h, err := picture.Size(imagePath, picture.AsStored)
	if err != nil {
		return labelmap.Map{}, fmt.Errorf("cityscapes: %w", err)
	}
	path, read := c.stored(i, cityscapesInstances), cityscapesReader(cityscapesPNG)
	if drawing := c.stored(i, cityscapesPolygons); !exists(path) && exists(drawing) {
		path, read = drawing, cityscapesDrawn((*cityscapesDrawing).instanceIDs)
	}
	l, err := read(path, imagePath, image.Pt(w, h))
	if err != nil {
		return labelmap.Map{}, fmt.Errorf("cityscapes: %w", err)
	}
	if err := checkCityscapesInstances(l); err != nil {
		return labelmap.Map{}, fmt.Errorf("cityscapes: %s: %w", path, err)
	}
	return l, nil
}
