package datasets

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
)

// ImageNet-S: Gao et al., "Large-Scale Unsupervised Semantic Segmentation", TPAMI 2022. Pixel labels of one object
// class and more for ImageNet pictures, in subsets of 50, 300 and 919 classes. Label PNGs hold R + 256*G in their
// colours: 0 for everything else, 1..C in the order of the category file, 1000 for what is not scored.

const (
	imagenetsHomepage = "https://github.com/LUSSeg/ImageNet-S (label archives, and mapping lists that copy pictures " +
		"from ILSVRC2012)"
	imagenetsLayout = `%s/
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
	return openImageNetS(o, imagenetsSubset{"imagenet_s50", "ImageNet-S50 with background", "ImageNetS50",
		map[string]int{"validation": 752}})
}

func openImageNetS300(o Options) (Dataset, error) {
	return openImageNetS(o, imagenetsSubset{"imagenet_s300", "ImageNet-S300 with background", "ImageNetS300",
		map[string]int{"validation": 4097}})
}

func openImageNetS919(o Options) (Dataset, error) {
	return openImageNetS(o, imagenetsSubset{"imagenet_s919", "ImageNet-S919 with background", "ImageNetS919",
		map[string]int{"validation": 12419}})
}

// imagenetsClasses are the numbers of classes of the subsets, which end their names.
var imagenetsClasses = []int{50, 300, 919}

func openImageNetS(o Options, s imagenetsSubset) (Dataset, error) {
	if o.Split == "val" {
		o.Split = "validation"
	}
	info := Info{Name: s.name, Title: s.title, Classes: plainClasses(s.name), Background: true,
		Homepage: imagenetsHomepage,
		Layout:   fmt.Sprintf(imagenetsLayout, s.folder)}
	if err := o.begin(&info, "validation", s.folder); err != nil {
		return nil, err
	}
	info.Official = s.official[o.Split]
	dirs := candidates(o.Root, s.folder, "ImageNetS/"+s.folder, "ImageNet-S/"+s.folder)
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return imagenetsOther(dir, s.folder) })
	if info.Root = firstWith(dirs, o.Split, o.Split+"-segmentation"); info.Root == "" {
		return nil, fmt.Errorf("%s and %s-segmentation are together in none of %s\n%s", o.Split, o.Split,
			strings.Join(dirs, ", "), info.help())
	}
	images, labels := filepath.Join(info.Root, o.Split), filepath.Join(info.Root, o.Split+"-segmentation")
	ids, paths, err := nestedIDs(labels, ".png")
	if err != nil {
		return nil, err
	}
	if err := imagenetsSubsetOf(labels, paths, len(info.Classes)-1); err != nil {
		return nil, err
	}
	d := newOnDisk(o, info, ids)
	d.files = func(i int) (string, string) {
		picture := filepath.Join(images, filepath.Dir(paths[i]), ids[i]+imagenetsPicture)
		return anyCase(picture), filepath.Join(labels, paths[i])
	}
	d.truth = func(_ int, s *Sample) error {
		data, err := files.Read(s.LabelPath, files.MaxBytes)
		if err != nil {
			return err
		}
		if s.Labels, err = imagenetsLabels(data, len(info.Classes)); err != nil {
			return in(s.LabelPath, err)
		}
		return checkSizes(s.ImagePath, s.LabelPath, s.Image.Rect.Max, image.Pt(s.Labels.W, s.Labels.H))
	}
	return d, nil
}

// imagenetsOther says whether dir is called like another subset than folder.
func imagenetsOther(dir, folder string) bool {
	base := filepath.Base(dir)
	return base != folder && slices.ContainsFunc(imagenetsClasses,
		func(n int) bool { return base == fmt.Sprint("ImageNetS", n) })
}

// imagenetsSubsetOf refuses the label maps of another subset: subsets have equal layouts, and labels of a smaller one
// are in range for a larger one.
func imagenetsSubsetOf(dir string, paths []string, classes int) error {
	wnids := make(map[string]bool)
	for _, p := range paths {
		wnids[filepath.Dir(p)] = true
	}
	if folders := len(wnids); folders != classes &&
		slices.Contains(imagenetsClasses, folders) {
		return fmt.Errorf("%s has %d classes, as ImageNetS%d does, not %d; open imagenet_s%[2]d, or name the folder "+
			"of ImageNetS%[4]d",
			dir, folders, folders, classes)
	}
	return nil
}

// imagenetsLabels decodes a label PNG with the labels 0..classes-1 in red + 256*green.
func imagenetsLabels(data []byte, classes int) (labelmap.Map, error) {
	l, err := labelmap.DecodeIDs(data)
	if err != nil {
		return labelmap.Map{}, err
	}
	for i, v := range l.Pix {
		switch {
		case v == imagenetsIgnore:
			l.Pix[i] = labelmap.Ignore
		case int(v) >= classes:
			return labelmap.Map{}, fmt.Errorf("%w: %d at x %d, y %d; allowed are 0..%d, %d; it may be a label map "+
				"of a larger subset",
				labelmap.ErrValue, v, i%l.W, i/l.W, classes-1, imagenetsIgnore)
		}
	}
	return l, nil
}
