//! A table as Apache Parquet: zstd, a row group of 65,536 rows at most, every column optional.

use super::table::{Column, Kind, Value};
use super::{Failure, Sheet};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::sync::Arc;

const ROW_GROUP: usize = 65_536;

/// A column's values of a row group that are there, and for each row whether one is.
struct Buffer {
    kind: Kind,
    whole: Vec<i64>,
    numbers: Vec<f32>,
    texts: Vec<ByteArray>,
    there: Vec<i16>,
}

impl Buffer {
    fn push(&mut self, value: &Value) {
        self.there.push(i16::from(*value != Value::Absent));
        match value {
            Value::Absent => {}
            // The column says that it is unsigned; times in nanoseconds fit until 2262.
            Value::Whole(n) => self.whole.push(n.cast_signed()),
            Value::Time(at) => self.whole.push(at.0.cast_signed()),
            Value::Number(x) => self.numbers.push(*x),
            Value::Text(text) => self.texts.push(ByteArray::from(text.as_bytes().to_vec())),
        }
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), Failure> {
        let there = Some(self.there.as_slice());
        match self.kind {
            Kind::Whole | Kind::Time => column.typed::<Int64Type>().write_batch(&self.whole, there, None)?,
            Kind::Number => column.typed::<FloatType>().write_batch(&self.numbers, there, None)?,
            Kind::Text => column.typed::<ByteArrayType>().write_batch(&self.texts, there, None)?,
        };
        self.whole.clear();
        self.numbers.clear();
        self.texts.clear();
        self.there.clear();
        Ok(())
    }
}

/// A Parquet file.
pub(super) struct ParquetSheet {
    writer: SerializedFileWriter<File>,
    columns: Vec<Buffer>,
    rows: usize,
}

impl ParquetSheet {
    pub(super) fn begin(file: File, columns: &[Column]) -> Result<ParquetSheet, Failure> {
        let fields: Vec<String> = columns
            .iter()
            .map(|Column { name, kind }| match kind {
                Kind::Whole => format!("optional int64 {name} (INTEGER(64,false));"),
                Kind::Number => format!("optional float {name};"),
                Kind::Text => format!("optional binary {name} (STRING);"),
                Kind::Time => format!("optional int64 {name} (TIMESTAMP(NANOS,true));"),
            })
            .collect();
        let schema = parse_message_type(&format!("message poses {{ {} }}", fields.join(" ")))?;
        let software = concat!("wavewitness ", env!("CARGO_PKG_VERSION")).to_owned();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_created_by(software)
            .build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
        let buffer = |column: &Column| Buffer {
            kind: column.kind,
            whole: Vec::new(),
            numbers: Vec::new(),
            texts: Vec::new(),
            there: Vec::new(),
        };
        Ok(ParquetSheet { writer, columns: columns.iter().map(buffer).collect(), rows: 0 })
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let mut group = self.writer.next_row_group()?;
        for buffer in &mut self.columns {
            let mut column = group.next_column()?.ok_or("the file has fewer columns than the table")?;
            buffer.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Sheet for ParquetSheet {
    fn row(&mut self, row: &[Value]) -> Result<(), Failure> {
        for (buffer, value) in self.columns.iter_mut().zip(row) {
            buffer.push(value);
        }
        self.rows += 1;
        if self.rows == ROW_GROUP { self.flush() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.close()?;
        Ok(())
    }
}
