package datasets

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Cityscapes, finely annotated: street scenes of 50 cities in 2048 x 1024 pixels, 19 classes that are scored. People drew
// polygons; Cityscapes' scripts made three PNG files of each drawing. A tree need not have all of them: the first form
// of cityscapesForms that every picture of the split has is read.

const (
	cityscapesHomepage = "https://www.cityscapes-dataset.com/downloads/ (leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip)"
	cityscapesLayout   = `cityscapes/
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
	classes      func(Labels) error // maps what was read, in place
}

// A cityscapesReader reads what is stored at path for a picture of w x h pixels.
type cityscapesReader func(path, imagePath string, w, h int) (Labels, error)

var cityscapesForms = []cityscapesForm{
	{"_gtFine_labelTrainIds.png", "", cityscapesPNG, cityscapesTrainIDs},
	{"_gtFine_labelIds.png", "label maps are the labelIds files, mapped to the 19 classes", cityscapesPNG, cityscapesLabelIDs},
	{cityscapesPolygons, "label maps are drawn from the polygons, as cityscapesscripts with Pillow 13 draws them",
		cityscapesDrawn((*cityscapesDrawing).labelIDs), cityscapesLabelIDs},
}

// Instanced is a Dataset that tells the things of one class apart.
type Instanced interface {
	// Instances reads the map of instance ids of sample i, as large as its picture. For Cityscapes a value below 1000 is
	// a label id, else 1000*label + number: see [CityscapesID]. It is everything that Cityscapes' own evaluation,
	// which scores label ids and weights instances, wants to know of the truth.
	Instances(i int) (Labels, error)
}

// cityscapes is immutable after openCityscapes.
type cityscapes struct {
	info        Info
	ids         []string
	cities      []string // by sample: the folder that it lies in
	form        *cityscapesForm
	orientation Orientation
}

func openCityscapes(o Options) (Dataset, error) {
	if o.Split == "" {
		o.Split = "val"
	}
	if err := checkID(o.Split); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	help := "get it from " + cityscapesHomepage + "; the tree must be\n" + cityscapesLayout
	if o.Root == "" {
		return nil, fmt.Errorf("no data directory is given; name the one that holds leftImg8bit and gtFine, with --data or root\n%s", help)
	}
	dirs := candidates(o.Root, "cityscapes", "Cityscapes", "CityScapes")
	root := firstWith(dirs, "leftImg8bit", "gtFine")
	if root == "" {
		return nil, fmt.Errorf("leftImg8bit and gtFine are together in none of %s\n%s", strings.Join(dirs, ", "), help)
	}
	c := &cityscapes{orientation: o.Orientation, info: Info{Name: "cityscapes", Title: "Cityscapes", Split: o.Split, Root: root,
		Classes: cityscapesClasses(), Official: cityscapesOfficial[o.Split], Homepage: cityscapesHomepage, Layout: cityscapesLayout}}
	if err := c.list(); err != nil {
		return nil, err
	}
	if err := c.choose(); err != nil {
		return nil, err
	}
	c.info.ListSHA256 = listSHA256(c.ids)
	return c, nil
}

// list finds the pictures: cities in alphabetical order, pictures of a city in alphabetical order.
func (c *cityscapes) list() error {
	top := filepath.Join(c.info.Root, "leftImg8bit", c.info.Split)
	cities, err := os.ReadDir(top)
	if err != nil {
		return fmt.Errorf("split %q: %w; splits are train, val, test", c.info.Split, err)
	}
	seen := make(map[string]string)
	for _, city := range cities {
		if !isDir(filepath.Join(top, city.Name())) {
			continue
		}
		files, err := filesIn(filepath.Join(top, city.Name()), cityscapesPicture)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(files)) {
			if other, ok := seen[id]; ok {
				return fmt.Errorf("%s: picture %s is in %s too; an image may be counted only once", filepath.Join(top, city.Name()), id, other)
			}
			seen[id] = city.Name()
			c.ids, c.cities = append(c.ids, id), append(c.cities, city.Name())
		}
	}
	if len(c.ids) == 0 {
		return fmt.Errorf("no <city>/<id>%s in %s; unpack leftImg8bit_trainvaltest.zip", cityscapesPicture, top)
	}
	return nil
}

// choose finds the form of the truth: the first that all pictures have, else the one that most have.
func (c *cityscapes) choose() error {
	most := 0
	for k := range cityscapesForms {
		form, n := &cityscapesForms[k], 0
		for i := range c.ids {
			if exists(c.truth(i, form.suffix)) {
				n++
			}
		}
		if n > most {
			c.form, most = form, n
		}
		if n == len(c.ids) {
			break
		}
	}
	if most == 0 {
		return fmt.Errorf("no truth for any picture, such as %s or *%s; unpack gtFine_trainvaltest.zip", c.truth(0, cityscapesForms[1].suffix), cityscapesPolygons)
	}
	if c.form.note != "" {
		c.info.Notes = []string{c.form.note}
	}
	return nil
}

// truth is the path of a file of sample i that holds truth.
func (c *cityscapes) truth(i int, suffix string) string {
	return filepath.Join(c.info.Root, "gtFine", c.info.Split, c.cities[i], c.ids[i]+suffix)
}

func (c *cityscapes) Info() Info {
	info := c.info
	info.Classes, info.Notes = slices.Clone(info.Classes), slices.Clone(info.Notes)
	return info
}

func (c *cityscapes) Len() int        { return len(c.ids) }
func (c *cityscapes) ID(i int) string { return c.ids[i] }

func (c *cityscapes) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(c.info.Root, "leftImg8bit", c.info.Split, c.cities[i], c.ids[i]+cityscapesPicture), c.truth(i, c.form.suffix)
}

func (c *cityscapes) At(i int) (Sample, error) {
	if i < 0 || i >= len(c.ids) {
		return Sample{}, fmt.Errorf("cityscapes: sample %d of %d", i, len(c.ids))
	}
	s, err := c.read(i)
	if err != nil {
		return Sample{}, fmt.Errorf("cityscapes: %w", err)
	}
	return s, nil
}

func (c *cityscapes) read(i int) (Sample, error) {
	imagePath, labelPath := c.Files(i)
	img, err := ReadImage(imagePath, c.orientation)
	if err != nil {
		return Sample{}, err
	}
	labels, err := c.form.read(labelPath, imagePath, img.Rect.Dx(), img.Rect.Dy())
	if err != nil {
		return Sample{}, err
	}
	if err := c.form.classes(labels); err != nil {
		return Sample{}, fmt.Errorf("%s: %w", labelPath, err)
	}
	return Sample{ID: c.ids[i], ImagePath: imagePath, LabelPath: labelPath, Image: img, Labels: labels}, nil
}

// Instances reads *_gtFine_instanceIds.png, or where that is missing draws it from the polygons.
func (c *cityscapes) Instances(i int) (Labels, error) {
	if i < 0 || i >= len(c.ids) {
		return Labels{}, fmt.Errorf("cityscapes: sample %d of %d", i, len(c.ids))
	}
	imagePath, _ := c.Files(i)
	w, h, err := ImageSize(imagePath)
	if err != nil {
		return Labels{}, fmt.Errorf("cityscapes: %w", err)
	}
	path, read := c.truth(i, cityscapesInstances), cityscapesReader(cityscapesPNG)
	if drawing := c.truth(i, cityscapesPolygons); !exists(path) && exists(drawing) {
		path, read = drawing, cityscapesDrawn((*cityscapesDrawing).instanceIDs)
	}
	l, err := read(path, imagePath, w, h)
	if err != nil {
		return Labels{}, fmt.Errorf("cityscapes: %w", err)
	}
	if err := checkCityscapesInstances(l); err != nil {
		return Labels{}, fmt.Errorf("cityscapes: %s: %w", path, err)
	}
	return l, nil
}
