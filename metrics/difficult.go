package metrics

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Difficult is the subset of (image, class) pairs on which the pointing game is also played: classes
// that are small in their image and share it with another. The authors of Excitation Backprop chose
// the pairs; their lists are not free to be shipped, so the user brings them. It may be shared.
type Difficult struct{ flags map[string][]bool }

// Limits of a list: ten times the images of COCO val2014, names as a file system allows them.
const (
	maxDifficultImages = 1 << 19
	maxDifficultLine   = 1 << 16
)

// ReadDifficult reads a list as TorchRay has it: a line per image, the name without ending and a 0 or
// 1 for each class, separated by tabs. name is the file's, for errors.
func ReadDifficult(r io.Reader, name string, classes int) (Difficult, error) {
	if err := checkClasses(classes); err != nil {
		return Difficult{}, err
	}
	d := Difficult{make(map[string][]bool)}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxDifficultLine)
	n := 0
	bad := func(format string, args ...any) (Difficult, error) {
		return Difficult{}, fmt.Errorf("%s:%d: %s", name, n, fmt.Sprintf(format, args...))
	}
	for lines.Scan() {
		n++
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if len(fields) != classes+1 {
			return bad("%d fields, want an image name and %d flags", len(fields), classes)
		}
		if _, again := d.flags[fields[0]]; again {
			return bad("image %q is listed twice", fields[0])
		}
		if len(d.flags) == maxDifficultImages {
			return bad("more than %d images", maxDifficultImages)
		}
		flags := make([]bool, classes)
		for c, f := range fields[1:] {
			if f != "0" && f != "1" {
				return bad("flag %q of class %d, want 0 or 1", f, c)
			}
			flags[c] = f == "1"
		}
		d.flags[fields[0]] = flags
	}
	if err := lines.Err(); err != nil {
		return Difficult{}, fmt.Errorf("%s: after line %d: %w", name, n, err)
	}
	return d, nil
}

// Keeps tells whether an event belongs to the subset. Images that are not listed do, as in TorchRay.
func (d Difficult) Keeps(image string, class int) bool {
	flags, listed := d.flags[image]
	if !listed {
		return true
	}
	return class >= 0 && class < len(flags) && flags[class]
}

// Pairs is the number of listed images with a flag, and of flags.
func (d Difficult) Pairs() (images, pairs int) {
	for _, flags := range d.flags {
		n := 0
		for _, f := range flags {
			if f {
				n++
			}
		}
		pairs += n
		images += min(n, 1)
	}
	return images, pairs
}
