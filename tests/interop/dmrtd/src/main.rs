//! Reads a card with dmrtd over PC/SC, once for every request, and answers each with one line of JSON: what each step
//! came to, and every file. Requests are lines "name=value" up to an empty one. They come on standard input: a password
//! on a command line could be read by anybody.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Display;
use std::io::{stdin, BufRead};

use chrono::NaiveDate;
use dmrtd::auth::passive::{self, DataGroup, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::passport::Passport;
use dmrtd::proto::can_key::CanKey;
use dmrtd::proto::dba_key::DBAKey;
use serde_json::{json, Map, Value};

const EF_COM: u8 = 0x1E;
const EF_SOD: u8 = 0x1D;

type Request = BTreeMap<String, String>;
type Files = BTreeMap<String, Vec<u8>>;

/// A card in a reader.
struct PcscCard(pcsc::Card);

impl Transceiver for PcscCard {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        let mut buffer = [0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
        match self.0.transmit(apdu, &mut buffer) {
            Ok(answer) => Ok(answer.to_vec()),
            Err(failure) => Err(TransceiveError::new(failure.to_string())),
        }
    }
}

fn main() -> Result<(), pcsc::Error> {
    let context = pcsc::Context::establish(pcsc::Scope::User)?;
    let mut lines = stdin().lock().lines().map_while(Result::ok);
    loop {
        let request: Request = lines
            .by_ref()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once('=').map(|(name, value)| (name.into(), value.into())))
            .collect();
        if request.is_empty() {
            return Ok(());
        }
        let name = CString::new(request["reader"].as_str()).expect("a reader's name has no zero octet");
        let card = context.connect(&name, pcsc::ShareMode::Shared, pcsc::Protocols::ANY)?;
        println!("{}", Session::new(PcscCard(card), request).run());
    }
}

struct Session {
    passport: Passport<PcscCard>,
    request: Request,
    outcomes: Map<String, Value>,
    files: Files,
}

impl Session {
    fn new(card: PcscCard, request: Request) -> Self {
        Self { passport: Passport::new(card), request, outcomes: Map::new(), files: Files::new() }
    }

    fn run(mut self) -> Value {
        if self.open() && self.read("EF.COM", EF_COM) && self.read("EF.SOD", EF_SOD) {
            self.read_data_groups();
            self.authenticate_actively();
            self.authenticate_passively();
        }
        let files: Map<_, Value> = self.files.iter().map(|(name, raw)| (name.clone(), hex::encode(raw).into())).collect();
        json!({"outcomes": self.outcomes, "files": files})
    }

    fn open(&mut self) -> bool {
        let outcome = match (self.request["access"].as_str(), self.request["password"].as_str()) {
            ("bac", _) => self.passport.start_session(self.key(false)).map_err(|failure| failure.to_string()),
            ("pace", "can") => self.run_pace_with_can(),
            _ => self.run_pace_with_mrz(),
        };
        let outcome = outcome.and_then(|()| {
            self.passport.api_mut().select_emrtd_application().map_err(|failure| failure.to_string())
        });
        self.note("access", outcome)
    }

    fn run_pace_with_can(&mut self) -> Result<(), String> {
        let key = CanKey::new(&self.request["value"]).map_err(|failure| failure.to_string())?;
        let access = self.passport.read_ef_card_access().map_err(|failure| failure.to_string())?;
        self.passport.start_session_pace(key, &access).map_err(|failure| failure.to_string())
    }

    fn run_pace_with_mrz(&mut self) -> Result<(), String> {
        let access = self.passport.read_ef_card_access().map_err(|failure| failure.to_string())?;
        self.passport.start_session_pace(self.key(true), &access).map_err(|failure| failure.to_string())
    }

    /// The key of "number,YYMMDD,YYMMDD"; the centuries do not enter into it.
    fn key(&self, pace: bool) -> DBAKey {
        let parts: Vec<&str> = self.request["value"].split(',').collect();
        let date = |text: &str| NaiveDate::parse_from_str(&format!("20{text}"), "%Y%m%d").expect("a date as YYMMDD");
        DBAKey::new(parts[0], date(parts[1]), date(parts[2]), pace).expect("a document number as in the MRZ")
    }

    fn read(&mut self, name: &str, sfi: u8) -> bool {
        match self.passport.api_mut().read_file_by_sfi(sfi) {
            Ok(raw) => {
                self.files.insert(name.into(), raw);
                self.note::<String>(name, Ok(()))
            }
            Err(failure) => self.note(name, Err(failure)),
        }
    }

    fn read_data_groups(&mut self) {
        for number in self.request["data_groups"].clone().split(',') {
            self.read(&format!("DG{number}"), number.parse().expect("a data group's number"));
        }
    }

    fn authenticate_actively(&mut self) {
        if !self.files.contains_key("DG15") {
            return;
        }
        let challenge = self.octets("challenge");
        // It selects the application and reads DG15 by itself.
        let outcome = self.passport.verify_active_authentication(&challenge);
        self.note("active authentication", outcome);
    }

    fn authenticate_passively(&mut self) {
        let number = |name: &String| name.strip_prefix("DG").and_then(|text| text.parse::<u8>().ok());
        let groups: Vec<DataGroup> = self
            .files
            .iter()
            .filter_map(|(name, raw)| number(name).map(|number| DataGroup { number, bytes: raw }))
            .collect();
        let outcome = TrustAnchor::from_certificate(&self.octets("csca"))
            .and_then(|anchor| passive::verify(&self.files["EF.SOD"], &groups, &[anchor]))
            .map_err(|failure| failure.to_string())
            .and_then(|result| match (result.is_authentic(), result.covers_all_groups()) {
                (true, true) => Ok(()),
                (true, false) => Err(String::from("EF.SOD names data groups that were not read")),
                (false, _) => Err(String::from("the document signer does not lead to this CSCA")),
            });
        self.note("passive authentication", outcome);
    }

    fn octets(&self, name: &str) -> Vec<u8> {
        hex::decode(&self.request[name]).expect("hexadecimal digits")
    }

    fn note<E: Display>(&mut self, step: &str, outcome: Result<(), E>) -> bool {
        let passed = outcome.is_ok();
        let text = outcome.map_or_else(|failure| format!("failed: {failure}"), |()| "passed".into());
        self.outcomes.insert(step.into(), text.into());
        passed
    }
}
