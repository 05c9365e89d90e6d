package datasets

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"ovbench/datasets/labelmap"
)

// Label maps and objects straight from COCO's annotation files.
//
// Label maps are painted as COCO-Stuff says its maps are: stuff first, things over it. Things are painted in the order
// of the file, crowds included, so that the later of two that overlap is seen. The authors painted theirs with other
// tools and an order of their own; the two differ where things overlap and at outlines, and Info.Notes names the form
// in use.

// cocoAnnotated is truth in annotation files. It is immutable.
type cocoAnnotated struct {
	things     *cocoFile // its images are the samples
	stuff      *cocoFile // with the same images; nil without stuff
	background uint16    // of label maps: what is under the things
}

// cocoPaintedObject paints instances_<split>.json.
func cocoPaintedObject(t cocoTree, info Info) (Dataset, error) {
	sub := "annotations/instances_" + t.Split + ".json"
	if !exists(t.file(sub)) {
		return nil, nil
	}
	things, err := openCOCOFile(t.file(sub), cocoLabels(1, cocoThings), cocoThings)
	if err != nil {
		return nil, err
	}
	info.Notes = append(info.Notes, "labels are painted from "+sub)
	return newCOCOPainted(t, info, cocoAnnotated{things: things})
}

// cocoPaintedStuff paints stuff_<split>.json and over it instances_<split>.json.
func cocoPaintedStuff(t cocoTree, info Info) (Dataset, error) {
	things, stuff := "annotations/instances_"+t.Split+".json", "annotations/stuff_"+t.Split+".json"
	if !exists(t.file(stuff)) {
		return nil, nil
	}
	if !exists(t.file(things)) {
		return nil, fmt.Errorf("%s is missing; %s knows nothing of things", t.file(things), t.file(stuff))
	}
	d := cocoAnnotated{background: labelmap.Ignore}
	var err error
	if d.things, err = openCOCOFile(t.file(things), cocoLabels(0, cocoThings), cocoThings); err != nil {
		return nil, err
	}
	labels := cocoLabels(len(cocoThings), cocoStuff)
	labels[cocoOther.id] = labelmap.Stray
	if d.stuff, err = openCOCOFile(t.file(stuff), labels, cocoStuff, []cocoCategory{cocoOther}); err != nil {
		return nil, err
	}
	for _, img := range d.things.images {
		if other, ok := d.stuff.find(img.id); !ok || other.w*img.w > 0 && (other.w != img.w || other.h != img.h) {
			return nil, fmt.Errorf("%s lacks image %d of %dx%d pixels, which %s has; both must be of the same split",
				d.stuff.path, img.id, img.w, img.h, d.things.path)
		}
	}
	info.Notes = append(info.Notes, "labels are painted from "+stuff+" and "+things)
	return newCOCOPainted(t, info, d)
}

// cocoInstancesForm reads tags and objects from instances_<split>.json. A class is present if the picture has any
// annotation of it, a crowd too; pictures without annotations have all classes absent, and stay unless LabelledOnly is
// set.
func cocoInstancesForm(t cocoTree, info Info) (Dataset, error) {
	name := t.file("annotations/instances_" + t.Split + ".json")
	if !exists(name) {
		return nil, nil
	}
	things, err := openCOCOFile(name, cocoLabels(0, cocoThings), cocoThings)
	if err != nil {
		return nil, err
	}
	if all := len(things.images); t.LabelledOnly {
		things.images = slices.DeleteFunc(things.images, func(img cocoImage) bool { return img.first == img.last })
		info.Official = 0
		info.Notes = append(info.Notes, fmt.Sprintf("%d of %d pictures have no annotation and are left out",
			all-len(things.images), all))
	}
	d := cocoAnnotated{things: things}
	return newCOCOAnnotated(t, info, things, func(img *cocoImage, s *Sample) (err error) {
		s.Tags, s.Objects, err = d.objects(img)
		return err
	})
}

// newCOCOAnnotated has the pictures of the file of things.
func newCOCOAnnotated(t cocoTree, info Info, things *cocoFile, truth func(img *cocoImage, s *Sample) error) (Dataset,
	error) {
	info.Notes = append(info.Notes, things.unsized()...)
	d := newOnDisk(t.Options, info, things.ids())
	pictures := newShelf(t.pictures, ".jpg")
	d.files = func(i int) (string, string) { return pictures.find(d.ids[i], things.images[i].file), "" }
	d.truth = func(i int, s *Sample) error {
		img := things.images[i].sized(s.Image)
		if err := checkSizes(s.ImagePath, things.path, s.Image.Rect.Max, image.Pt(img.w, img.h)); err != nil {
			return err
		}
		return truth(img, s)
	}
	return d, nil
}

// newCOCOPainted has label maps.
func newCOCOPainted(t cocoTree, info Info, d cocoAnnotated) (Dataset, error) {
	return newCOCOAnnotated(t, info, d.things, func(img *cocoImage, s *Sample) (err error) {
		s.Labels, err = d.paint(img)
		return err
	})
}

func (d *cocoAnnotated) objects(img *cocoImage) ([]Tag, []Object, error) {
	tags, objects := make([]Tag, len(cocoThings)), make([]Object, 0, img.last-img.first)
	err := d.things.each(img, func(a cocoAnnotation) error {
		o, err := a.object(img.h, img.w)
		if err != nil {
			return err
		}
		tags[o.Class] = Present
		objects = append(objects, o)
		return nil
	})
	return tags, objects, err
}

var errNoMask = errors.New("no segmentation, so the picture's label map is not known; use the complete annotation file")

func (d *cocoAnnotated) paint(img *cocoImage) (labelmap.Map, error) {
	l := labelmap.Map{W: img.w, H: img.h, Pix: make([]uint16, img.w*img.h)}
	for p := range l.Pix {
		l.Pix[p] = d.background
	}
	brush := func(a cocoAnnotation) error {
		if a.label == labelmap.Stray {
			return nil
		}
		mask, ok, err := a.mask(l.H, l.W)
		if err != nil {
			return err
		}
		if !ok {
			return errNoMask
		}
		mask.Paint(l.Pix, a.label)
		return nil
	}
	if d.stuff != nil {
		under, _ := d.stuff.find(img.id) // openers see to it that it is there
		if err := d.stuff.each(under, brush); err != nil {
			return labelmap.Map{}, err
		}
	}
	return l, d.things.each(img, brush)
}
