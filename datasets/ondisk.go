package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"

	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// ErrSize says that a picture and its annotation differ in size.
var ErrSize = errors.New("image and its annotation differ in size")

// onDisk is what all data sets of files are made of: what opening one found. It is immutable.
type onDisk struct {
	info        Info
	ids         []string
	orientation picture.Orientation

	files func(i int) (imagePath, labelPath string) // of sample i; labelPath is empty without label maps
	// fills in what is known of sample i, which has its id, paths and picture
	truth func(i int, s *Sample) error
}

// newOnDisk is a data set of ids, yet without files and truth.
func newOnDisk(o Options, info Info, ids []string) *onDisk {
	info.ListSHA256 = listSHA256(ids)
	return &onDisk{info: info, ids: ids, orientation: o.Orientation}
}

// inFolders is a data set of two folders: the pictures, and label PNGs whose stored values apply maps to labels in
// place.
func inFolders(o Options, info Info, ids []string, images, imageSuffix, labels string,
	apply func(labelmap.Map) error) *onDisk {
	d := newOnDisk(o, info, ids)
	pictures, maps := newShelf(images, imageSuffix), newShelf(labels, ".png")
	d.files = func(i int) (string, string) { return pictures.file(ids[i]), maps.file(ids[i]) }
	d.truth = labelTruth(labelmap.Read, apply)
	return d
}

// labelTruth reads the label map of a sample; apply maps stored values to labels in place.
func labelTruth(read func(path string) (labelmap.Map, error), apply func(labelmap.Map) error) func(int, *Sample) error {
	return func(_ int, s *Sample) (err error) {
		if s.Labels, err = read(s.LabelPath); err != nil {
			return err
		}
		if err := checkSizes(s.ImagePath, s.LabelPath, s.Image.Rect.Max, image.Pt(s.Labels.W, s.Labels.H)); err != nil {
			return err
		}
		return in(s.LabelPath, apply(s.Labels))
	}
}

// in says in which file an error was.
func in(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

func (d *onDisk) Info() Info      { return cloneInfo(d.info) }
func (d *onDisk) Len() int        { return len(d.ids) }
func (d *onDisk) ID(i int) string { return d.ids[i] }

func (d *onDisk) Files(i int) (imagePath, labelPath string) { return d.files(i) }

// oriented says how pictures are turned.
func (d *onDisk) oriented() picture.Orientation { return d.orientation }

func (d *onDisk) At(i int) (Sample, error) { return d.AtWith(i, nil) }

func (d *onDisk) AtWith(i int, img *image.NRGBA) (Sample, error) {
	if i < 0 || i >= len(d.ids) {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", d.info.Name, i, len(d.ids))
	}
	s, err := d.read(i, img)
	if err != nil {
		return Sample{}, in(d.info.Name, err)
	}
	return s, nil
}

func (d *onDisk) read(i int, img *image.NRGBA) (s Sample, err error) {
	s = Sample{ID: d.ids[i], Image: img}
	s.ImagePath, s.LabelPath = d.files(i)
	if img == nil {
		if s.Image, err = picture.Read(s.ImagePath, d.orientation); err != nil {
			return s, err
		}
	}
	return s, d.truth(i, &s)
}

func cloneInfo(info Info) Info {
	info.Classes, info.Notes = slices.Clone(info.Classes), slices.Clone(info.Notes)
	return info
}

// help says where to get the data set and how its tree must look.
func (i Info) help() string { return "get it from " + i.Homepage + "; the tree must be\n" + i.Layout }

// begin sets the split of info, usual where none is asked for. It refuses a split that is no name, and to look nowhere:
// holds is what the directory to be named holds.
func (o *Options) begin(info *Info, usual, holds string) error {
	if o.Split == "" {
		o.Split = usual
	}
	info.Split = o.Split
	if err := checkID(o.Split); err != nil {
		return fmt.Errorf("split: %w", err)
	}
	if o.Root == "" {
		return fmt.Errorf("no data directory is given; name the one that holds %s, with --data or root\n%s", holds,
			info.help())
	}
	return nil
}

// listSHA256 is the digest of Info.ListSHA256: independent of how the list file was written.
func listSHA256(ids []string) string {
	h := sha256.New()
	for _, id := range ids {
		io.WriteString(h, id+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// checkSizes compares the size of a picture with that of its label map.
func checkSizes(imagePath, labelPath string, img, labels image.Point) error {
	if img == labels {
		return nil
	}
	remedy := "neither may be resized, and EXIF rotation must not be applied to the files"
	if img.X == labels.Y && img.Y == labels.X {
		remedy = "one of them was rotated, likely by its EXIF orientation: labels refer to stored pixels, so read " +
			"pictures as stored " +
			"and keep the original files"
	}
	return fmt.Errorf("%w: %s is %dx%d, %s is %dx%d; %s", ErrSize, imagePath, img.X, img.Y, labelPath, labels.X,
		labels.Y, remedy)
}
