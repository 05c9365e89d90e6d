package datasets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
)

// ImageNet-segmentation: Guillaumin, Küttel and Ferrari, "ImageNet Auto-Annotation with Segmentation Propagation", IJCV
// 2014, in the selection of 4,276 pictures that Chefer et al., "Transformer Interpretability Beyond Attention
// Visualization", CVPR 2021, explain: one object a picture, its class in the picture's name. The scores of their
// protocol are those of task explain under the convention imagenet-segmentation. Their file gtsegs_ijcv.mat is MATLAB's
// of version 7.3, so it is unpacked once.

const (
	imagenetSegmentationHomepage = "http://calvin-vision.net/bigstuff/proj-imagenet/data/gtsegs_ijcv.mat"
	imagenetSegmentationLayout   = `ImageNetSegmentation/
  images/<wnid>_<number>.png, .jpg or .JPEG
  labels/<wnid>_<number>.png (0 background, 1 object, 255 not scored)
  LOC_synset_mapping.txt of ILSVRC2012, or classes.txt: "<wnid> <name>, …" a line
which h5py and Pillow unpack of gtsegs_ijcv.mat: of element i of value, f[f["value/img"][i,0]] transposed (2,1,0) is the picture,
f[f[f["value/gt"][i,0]][0,0]] transposed (1,0) the label map, and f[f["value/id"][i,0]] holds the letters of its name`
)

// imagenetSynset is what a picture's name begins with.
var imagenetSynset = regexp.MustCompile(`^n\d{8}`)

func openImageNetSegmentation(o Options) (Dataset, error) {
	info := Info{Name: "imagenet_segmentation", Title: "ImageNet-segmentation, one object a picture", Background: true,
		Homepage: imagenetSegmentationHomepage, Layout: imagenetSegmentationLayout}
	if err := o.begin(&info, "all", "ImageNetSegmentation"); err != nil {
		return nil, err
	}
	if o.Split != "all" {
		return nil, fmt.Errorf("split %q is not known; there is one, all", o.Split)
	}
	info.Official = 4276
	dirs := candidates(o.Root, "ImageNetSegmentation", "ImageNet-Segmentation", "imagenet_segmentation")
	if info.Root = firstWith(dirs, "images", "labels"); info.Root == "" {
		return nil, fmt.Errorf("images and labels are together in none of %s\n%s", strings.Join(dirs, ", "), info.help())
	}
	names, class, err := readSynsets(info)
	if err != nil {
		return nil, err
	}
	imageDir, labelDir := filepath.Join(info.Root, "images"), filepath.Join(info.Root, "labels")
	images, err := filesIn(imageDir, ".png", ".jpg", ".jpeg")
	if err != nil {
		return nil, err
	}
	ids, err := stemsIn(labelDir, ".png")
	if err != nil {
		return nil, err
	}
	labels := newShelf(labelDir, ".png")
	for _, id := range ids {
		if _, ok := class[imagenetSynset.FindString(id)]; !ok {
			return nil, fmt.Errorf("%s: its name does not begin with a synset of the list of classes, such as n01440764",
				filepath.Join(labelDir, id+".png"))
		}
	}
	info.Classes = append([]string{"background"}, names...)
	d := newOnDisk(o, info, ids)
	d.files = func(i int) (string, string) {
		if images[ids[i]] == "" {
			return filepath.Join(imageDir, ids[i]+".png"), labels.file(ids[i])
		}
		return filepath.Join(imageDir, images[ids[i]]), labels.file(ids[i])
	}
	d.truth = func(i int, s *Sample) error {
		object := uint16(1 + class[imagenetSynset.FindString(ids[i])])
		return labelTruth(labelmap.Read, func(l labelmap.Map) error {
			return l.Replace(func() string { return "0, 1 and 255" }, func(v uint16) uint16 {
				switch v {
				case 0:
					return 0
				case 1:
					return object
				case 255:
					return labelmap.Ignore
				}
				return labelmap.Stray
			})
		})(i, s)
	}
	return &ownWords{d}, nil
}

// ownWords is a data set whose words are the names of its classes.
type ownWords struct{ *onDisk }

func (d *ownWords) plainQueries() [][]string {
	out := make([][]string, len(d.info.Classes))
	for i, c := range d.info.Classes {
		out[i] = []string{c}
	}
	return out
}

// readSynsets reads the names of classes, in the order of the list, and their numbers by synset. A name that two have,
// such as crane, gets its synset too.
func readSynsets(info Info) (names []string, class map[string]int, err error) {
	var lines []string
	name := ""
	for _, file := range []string{"LOC_synset_mapping.txt", "classes.txt"} {
		name = filepath.Join(info.Root, file)
		if lines, err = files.Lines(name); !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list of classes: %w; the tree must be\n%s", err, info.Layout)
	}
	class = make(map[string]int)
	var synsets []string
	for i, line := range lines {
		if line == "" {
			continue
		}
		synset, rest, _ := strings.Cut(line, " ")
		word, _, _ := strings.Cut(rest, ",")
		if word = strings.TrimSpace(word); imagenetSynset.FindString(synset) != synset || word == "" {
			return nil, nil, fmt.Errorf("%s:%d: %q, want a synset and its name, such as n01440764 tench, Tinca tinca", name, i+1,
				line)
		}
		if _, ok := class[synset]; ok {
			return nil, nil, fmt.Errorf("%s:%d: %s is listed twice", name, i+1, synset)
		}
		class[synset] = len(names)
		names, synsets = append(names, word), append(synsets, synset)
	}
	for i := range names {
		if slices.Index(names, names[i]) != i || names[i] == "background" {
			names[i] += " (" + synsets[i] + ")"
		}
	}
	return names, class, nil
}
