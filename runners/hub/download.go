package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// download is one file on its way to the disk. What has arrived lies beside the target under the name target.incomplete, where a
// later attempt goes on.
type download struct {
	client   *http.Client
	url      string
	token    string // of the hub; the client sends it to the first host only
	target   string
	lock     string // file that one process holds while it writes the target
	size     int64  // bytes; negative if the server does not say
	sum      string // hexadecimal SHA-256, or the SHA-1 of git, "" if the server does not say
	progress func(done, total int64)
}

// attempts bounds how often a transfer that broke off is taken up again without a byte arriving in between.
const attempts = 5

// patience is the time before a broken transfer is taken up again, doubled each time.
var patience = time.Second

// fetch brings the file, whole and with the right checksum, to the target. A target of the right size is left as it is.
func (d *download) fetch(ctx context.Context) error {
	for _, dir := range []string{filepath.Dir(d.target), filepath.Dir(d.lock)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	lock := flock.New(d.lock)
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return fmt.Errorf("%s: lock: %w", d.lock, err)
	}
	defer lock.Close()
	if info, err := os.Stat(d.target); err == nil && info.Mode().IsRegular() && (d.size < 0 || info.Size() == d.size) {
		d.tell(info.Size())
		return nil
	}
	part := d.target + ".incomplete"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.fill(ctx, f); err != nil {
		return err
	}
	if err := d.verify(f); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return os.Rename(part, d.target)
}

// fill asks for what f lacks until all of it is there.
func (d *download) fill(ctx context.Context, f *os.File) error {
	wait := patience
	for failed := 0; ; {
		have, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if d.size >= 0 && have > d.size { // of another version
			if have, err = 0, f.Truncate(0); err != nil {
				return err
			}
		}
		if have == d.size {
			return nil
		}
		n, err := d.take(ctx, f, have)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case isFinal(err):
			return err
		case n > 0:
			failed, wait = 0, patience
		}
		if failed++; failed == attempts {
			return fmt.Errorf("%w (%d attempts; what arrived is kept, the same command goes on from there)", err, attempts)
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finalError is an answer that will be the same the next time.
type finalError struct{ error }

func isFinal(err error) bool {
	var f finalError
	return errors.As(err, &f)
}

// take appends one answer to f, which holds the first have bytes, and returns how many bytes came.
func (d *download) take(ctx context.Context, f *os.File, have int64) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return 0, finalError{err}
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if want := fmt.Sprintf("bytes %d-", have); !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
			return 0, finalError{fmt.Errorf("%s: asked for bytes from %d on, got %.80q", d.url, have, resp.Header.Get("Content-Range"))}
		}
	case http.StatusOK: // from the start, asked or not
		if err := f.Truncate(0); err != nil {
			return 0, finalError{err}
		}
		have = 0
	case http.StatusRequestedRangeNotSatisfiable: // what is there is of another version
		return 0, errors.Join(statusErrorOnce(d.url, resp), f.Truncate(0))
	default:
		return 0, statusError(d.url, resp)
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return 0, finalError{err}
	}
	body := io.Reader(resp.Body)
	if d.size >= 0 {
		body = io.LimitReader(resp.Body, d.size-have+1) // one byte more tells a file that is too long
	}
	n, err := io.Copy(&meter{f, have, d}, body)
	switch {
	case err != nil:
		return n, fmt.Errorf("%s: %w", d.url, err)
	case d.size >= 0 && have+n > d.size:
		return n, finalError{fmt.Errorf("%s: more than the %d bytes that were announced", d.url, d.size)}
	case have+n < d.size:
		return n, fmt.Errorf("%s: broke off after %d of %d bytes", d.url, have+n, d.size)
	}
	return n, nil
}

// statusErrorOnce is an answer that may differ the next time.
func statusErrorOnce(url string, resp *http.Response) error {
	return fmt.Errorf("%s: %s", url, resp.Status)
}

// statusError is an answer that is no file, with what to do about it.
func statusError(url string, resp *http.Response) error {
	err := statusErrorOnce(url, resp)
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return finalError{fmt.Errorf("%w: the model is private, gated or misspelled: accept its terms on the hub and set HF_TOKEN", err)}
	case code == http.StatusNotFound:
		return finalError{fmt.Errorf("%w: no such model, revision or file", err)}
	case code == http.StatusTooManyRequests || code >= 500:
		return err
	}
	return finalError{err}
}

// meter writes to a file and tells how far it is.
type meter struct {
	f    *os.File
	done int64
	d    *download
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.f.Write(p)
	m.done += int64(n)
	m.d.tell(m.done)
	return n, err
}

func (d *download) tell(done int64) {
	if d.progress != nil {
		d.progress(done, d.size)
	}
}

// verify compares the checksum, if the server gave one: 64 digits are of SHA-256, 40 of git's SHA-1 over a header and the content.
func (d *download) verify(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var h hash.Hash
	switch len(d.sum) {
	case 2 * sha256.Size:
		h = sha256.New()
	case 2 * sha1.Size:
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", info.Size())
	default:
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != d.sum {
		return fmt.Errorf("%s: the checksum of what arrived is %.16s…, not %.16s…: it was damaged on its way and is deleted; try again", d.url, got, d.sum)
	}
	return nil
}
