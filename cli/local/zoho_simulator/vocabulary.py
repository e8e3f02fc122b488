"""Words for data that looks like an Iraqi trader's: Latin and Arabic, invented throughout."""

from __future__ import annotations

from random import Random

GOODS = (
    ("Cable", "كيبل"),
    ("Camera", "كاميرا"),
    ("Switch", "سويج"),
    ("Router", "راوتر"),
    ("Adapter", "محول"),
    ("Hard Disk", "هارد"),
    ("Keyboard", "كيبورد"),
    ("Connector", "كونكتر"),
    ("Power Supply", "باور سبلاي"),
    ("DVR", "جهاز تسجيل"),
    ("Memory", "رام"),
    ("Rack", "راك"),
)
KINDS = ("CAT6", "HDMI", "2MP", "5MP", "8 Port", "16 Port", "12V 5A", "1TB", "USB-C", "RG59", "خارجي", "داخلي", "أصلي")
CATEGORIES = ("كيبلات", "كاميرات مراقبة", "شبكات", "قطع حاسبات", "طاقة", "اكسسوارات")
BRANDS = ("", "", "", "Nova", "Delta Link", "Orient", "المتحدة")
FIRST = ("أحمد", "محمد", "علي", "حسين", "زينب", "مصطفى", "سارة", "عمر", "نور", "كرار", "يوسف", "هدى")
LAST = ("الجبوري", "العبيدي", "الساعدي", "الكعبي", "التميمي", "الدليمي", "الخفاجي", "الربيعي")
TRADES = ("للإلكترونيات", "للحاسبات", "لأنظمة المراقبة", "للشبكات", "Computer", "Electronics", "CCTV Center")
CITIES = ("بغداد", "البصرة", "أربيل", "النجف", "كربلاء", "الموصل", "Baghdad", "Erbil", "كركوك", "الحلة")
VENDORS = ("Shenzhen", "Guangzhou", "Yiwu", "Ningbo", "Foshan", "Dubai")
PAYMENT_MODES = ("Cash", "cash", "نقد", "Bank Transfer", "Zain Cash", "زين كاش", "FIB", "Check", "حوالة", "Super Qi")
NOTES = ("", "", "", "شكرا لتعاملكم معنا", "Thanks for your business.", "يسلم الى السائق", "بضاعة مباعة لا ترد")
REASONS = ("جرد سنوي", "Stocktaking results", "Damaged goods", "Stolen goods", "تالف", "Stock on fire")


def product_name(random: Random, number: int) -> str:
    """Latin, Arabic or both, as the staff typed it."""
    latin, arabic = random.choice(GOODS)
    word = latin if random.random() < 0.55 else arabic
    return f"{word} {random.choice(KINDS)} {random.choice(('A', 'B', 'X', 'ZX', 'TS'))}-{number:04d}"


def person(random: Random) -> tuple[str, str]:
    """First and last name."""
    return random.choice(FIRST), random.choice(LAST)


def company(random: Random, number: int) -> str:
    """A shop's name; the number keeps names apart."""
    return f"{random.choice(LAST)} {random.choice(TRADES)} {number}"


def vendor(random: Random, number: int) -> str:
    """A supplier's name."""
    return f"{random.choice(VENDORS)} Trading Co {number}"


def phone(random: Random) -> str:
    """An Iraqi mobile number in one of the forms that people type; the range is not given out."""
    digits = f"000{random.randrange(10_000_000):07d}"
    return random.choice((f"07{digits[:9]}", f"+9647{digits[:9]}", ""))


def remark(random: Random) -> str:
    """A note that nobody wrote before."""
    return f"{random.choice(NOTES)} {random.randrange(1000)}".strip()
