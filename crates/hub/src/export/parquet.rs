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

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};
    use wavewitness_types::Timestamp;

    #[test]
    fn what_is_written_is_read_back_across_row_groups() {
        let columns = [
            Column { name: "time", kind: Kind::Time },
            Column { name: "cycle", kind: Kind::Whole },
            Column { name: "x_m", kind: Kind::Number },
            Column { name: "source", kind: Kind::Text },
        ];
        let file = tempfile::tempfile().unwrap();
        let mut sheet = Box::new(ParquetSheet::begin(file.try_clone().unwrap(), &columns).unwrap());
        let rows = ROW_GROUP as u64 + 3;
        for k in 0..rows {
            let absent = k % 5 == 0;
            let number = if absent { Value::Absent } else { Value::Number(k as f32 / 3.0) };
            sheet
                .row(&[Value::Time(Timestamp(k)), Value::Whole(u64::MAX - k), number, "simulated".into()])
                .unwrap();
        }
        Sheet::finish(sheet).unwrap();
        let read = SerializedFileReader::new(file).unwrap();
        assert_eq!(read.metadata().num_row_groups(), 2);
        let mut seen = 0;
        for (k, row) in (0u64..).zip(read.get_row_iter(None).unwrap()) {
            let row = row.unwrap();
            assert_eq!(row.get_ulong(1).unwrap(), u64::MAX - k);
            assert_eq!(row.get_string(3).unwrap(), "simulated");
            let number = row.get_column_iter().nth(2).unwrap().1;
            let wanted = if k % 5 == 0 { Field::Null } else { Field::Float(k as f32 / 3.0) };
            assert_eq!(*number, wanted);
            seen += 1;
        }
        assert_eq!(seen, rows);
        let schema = read.metadata().file_metadata().schema_descr();
        let time = format!("{:?}", schema.column(0).logical_type_ref());
        assert!(time.to_lowercase().contains("timestamp") && time.contains("true"), "{time}");
    }
}
