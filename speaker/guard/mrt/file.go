package mrt

import (
	"fmt"
	"os"
	"path/filepath"
)

// File is a file of records that never takes more than its bound: when it is half full it becomes the older half (with .1 after its name), and a new one
// begins. It is not safe for concurrent use.
type File struct {
	path  string
	bound int64 // of both halves
	f     *os.File
	size  int64
	buf   []byte
}

// Open goes on writing a file, which is made, readable by its owner only, if it is not there.
func Open(path string, bound int64) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open record of a session: %w", err)
	}
	v := &File{path: path, bound: bound}
	return v, v.open()
}

func (v *File) open() error {
	f, err := os.OpenFile(v.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open record of a session: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open record of a session: %w", err)
	}
	v.f, v.size = f, info.Size()
	return nil
}

// Older is the name of the older half.
func Older(path string) string { return path + ".1" }

// Write appends a record.
func (v *File) Write(r Record) error {
	v.buf = r.Append(v.buf[:0])
	if v.size > 0 && v.size+int64(len(v.buf)) > v.bound/2 {
		if err := v.turn(); err != nil {
			return err
		}
	}
	n, err := v.f.Write(v.buf)
	v.size += int64(n)
	if err != nil {
		return fmt.Errorf("record a session: %w", err)
	}
	return nil
}

// turn begins a new half.
func (v *File) turn() error {
	if err := v.f.Close(); err != nil {
		return fmt.Errorf("record a session: %w", err)
	}
	if err := os.Rename(v.path, Older(v.path)); err != nil {
		return fmt.Errorf("record a session: %w", err)
	}
	return v.open()
}

// Close closes the file.
func (v *File) Close() error { return v.f.Close() }
