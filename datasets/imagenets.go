package datasets

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ImageNet-S: Gao et al., "Large-Scale Unsupervised Semantic Segmentation", TPAMI 2022. Pixel labels of one object class
// and more for ImageNet pictures, in subsets of 50, 300 and 919 classes. Label PNGs hold R + 256*G in their colours: 0 for
// everything else, 1..C in the order of the category file, 1000 for what is not scored.

const (
	imagenetsHomepage = "https://github.com/LUSSeg/ImageNet-S (label archives, and mapping lists that copy pictures from ILSVRC2012)"
	imagenetsLayout   = `%s/
  validation/<wnid>/<id>.JPEG
  validation-segmentation/<wnid>/<id>.png`
	imagenetsIgnore  = 1000
	imagenetsPicture = ".JPEG"
)

// An imagenetsSubset is what differs between the subsets.
type imagenetsSubset struct {
	name, title, folder string
	official            map[string]int // pictures with label maps; the truth of test is on a server
}

func openImageNetS50(o Options) (Dataset, error) {
	return openImageNetS(o, imagenetsSubset{"imagenet_s50", "ImageNet-S50 with background", "ImageNetS50", map[string]int{"validation": 752}})
}

func openImageNetS300(o Options) (Dataset, error) {
	return openImageNetS(o, imagenetsSubset{"imagenet_s300", "ImageNet-S300 with background", "ImageNetS300", map[string]int{"validation": 4097}})
}

func openImageNetS919(o Options) (Dataset, error) {
	return openImageNetS(o, imagenetsSubset{"imagenet_s919", "ImageNet-S919 with background", "ImageNetS919", map[string]int{"validation": 12419}})
}

// imagenetsClasses are the numbers of classes of the subsets, which end their names.
var imagenetsClasses = []int{50, 300, 919}

// imagenets is immutable after openImageNetS.
type imagenets struct {
	info        Info
	ids, wnids  []string // by sample
	orientation Orientation
}

func openImageNetS(o Options, s imagenetsSubset) (Dataset, error) {
	if o.Split == "" || o.Split == "val" {
		o.Split = "validation"
	}
	if err := checkID(o.Split); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	layout := fmt.Sprintf(imagenetsLayout, s.folder)
	help := "get it from " + imagenetsHomepage + "; the tree must be\n" + layout
	if o.Root == "" {
		return nil, fmt.Errorf("no data directory is given; name the one that holds %s, with --data or root\n%s", s.folder, help)
	}
	dirs := candidates(o.Root, s.folder, "ImageNetS/"+s.folder, "ImageNet-S/"+s.folder)
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return imagenetsOther(dir, s.folder) })
	root := firstWith(dirs, o.Split, o.Split+"-segmentation")
	if root == "" {
		return nil, fmt.Errorf("%s and %s-segmentation are together in none of %s\n%s", o.Split, o.Split, strings.Join(dirs, ", "), help)
	}
	d := &imagenets{orientation: o.Orientation, info: Info{Name: s.name, Title: s.title, Split: o.Split, Root: root, Classes: plainClasses(s.name),
		Background: true, Official: s.official[o.Split], Homepage: imagenetsHomepage, Layout: layout}}
	if err := d.list(); err != nil {
		return nil, err
	}
	d.info.ListSHA256 = listSHA256(d.ids)
	return d, nil
}

// imagenetsOther says whether dir is called like another subset than folder.
func imagenetsOther(dir, folder string) bool {
	base := filepath.Base(dir)
	return base != folder && slices.ContainsFunc(imagenetsClasses, func(n int) bool { return base == fmt.Sprint("ImageNetS", n) })
}

// list finds the label maps: synsets in alphabetical order, label maps of a synset in alphabetical order.
func (d *imagenets) list() error {
	top := filepath.Join(d.info.Root, d.info.Split+"-segmentation")
	synsets, err := os.ReadDir(top)
	if err != nil {
		return err
	}
	seen := make(map[string]string)
	folders := 0
	for _, synset := range synsets {
		wnid := synset.Name()
		if !isDir(filepath.Join(top, wnid)) {
			continue
		}
		files, err := filesIn(filepath.Join(top, wnid), ".png")
		if err != nil {
			return err
		}
		if len(files) > 0 {
			folders++
		}
		for _, id := range slices.Sorted(maps.Keys(files)) {
			if other, ok := seen[id]; ok {
				return fmt.Errorf("%s: label map %s is in %s too; an image may be counted only once", filepath.Join(top, wnid), id, other)
			}
			seen[id] = wnid
			d.ids, d.wnids = append(d.ids, id), append(d.wnids, wnid)
		}
	}
	if len(d.ids) == 0 {
		return fmt.Errorf("no <wnid>/<id>.png in %s; unpack the label archive", top)
	}
	// Subsets have equal layouts, and labels of a smaller one are in range for a larger one.
	if classes := len(d.info.Classes) - 1; folders != classes && slices.Contains(imagenetsClasses, folders) {
		return fmt.Errorf("%s has %d classes, as ImageNetS%d does, not %d; open imagenet_s%[2]d, or name the folder of ImageNetS%[4]d", top, folders, folders, classes)
	}
	return nil
}

func (d *imagenets) Info() Info {
	info := d.info
	info.Classes = slices.Clone(info.Classes)
	return info
}

func (d *imagenets) Len() int        { return len(d.ids) }
func (d *imagenets) ID(i int) string { return d.ids[i] }

func (d *imagenets) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(d.info.Root, d.info.Split, d.wnids[i], d.ids[i]+imagenetsPicture),
		filepath.Join(d.info.Root, d.info.Split+"-segmentation", d.wnids[i], d.ids[i]+".png")
}

func (d *imagenets) At(i int) (Sample, error) {
	if i < 0 || i >= len(d.ids) {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", d.info.Name, i, len(d.ids))
	}
	s, err := d.read(i)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", d.info.Name, err)
	}
	return s, nil
}

func (d *imagenets) read(i int) (Sample, error) {
	imagePath, labelPath := d.Files(i)
	img, err := ReadImage(imagePath, d.orientation)
	if err != nil {
		return Sample{}, err
	}
	data, err := readBounded(labelPath, MaxFileBytes)
	if err != nil {
		return Sample{}, err
	}
	labels, err := imagenetsLabels(data, len(d.info.Classes))
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", labelPath, err)
	}
	if err := checkSizes(imagePath, labelPath, img.Rect.Dx(), img.Rect.Dy(), labels.W, labels.H); err != nil {
		return Sample{}, err
	}
	return Sample{ID: d.ids[i], ImagePath: imagePath, LabelPath: labelPath, Image: img, Labels: labels}, nil
}

// imagenetsLabels decodes a label PNG with the labels 0..classes-1 in red + 256*green.
func imagenetsLabels(data []byte, classes int) (Labels, error) {
	kind, err := sniff(data)
	if err != nil {
		return Labels{}, err
	}
	if kind != kindPNG {
		return Labels{}, fmt.Errorf("label maps are PNG, this is %s", kind)
	}
	l, err := decodeIDs(data)
	if err != nil {
		return Labels{}, err
	}
	for i, v := range l.Pix {
		switch {
		case v == imagenetsIgnore:
			l.Pix[i] = Ignore
		case int(v) >= classes:
			return Labels{}, fmt.Errorf("%w: %d at x %d, y %d; allowed are 0..%d, %d; it may be a label map of a larger subset",
				ErrLabelValue, v, i%l.W, i/l.W, classes-1, imagenetsIgnore)
		}
	}
	return l, nil
}
